import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dataset } from '../../../electron/contract/index.ts'
import {
  allRegistered,
  ownTasksOf,
  unusedTaskFiles,
  withOwnTask,
} from '../../../renderer/src/screens/new-run/own-tasks.ts'

const dataset = (task: string | null, path: string, status = 'present') =>
  ({ task, path, status }) as unknown as Dataset

test('a task of one’s own is named after its file, and never as another task', () => {
  let tasks = withOwnTask({ piqa: '/p' }, '/data/My quiz.task.json')
  tasks = withOwnTask(tasks, '/other/My quiz.json')
  tasks = withOwnTask(tasks, '/data/piqa.json')
  tasks = withOwnTask(tasks, '/data/constructor.json')
  tasks = withOwnTask(tasks, '/data/…….json')
  assert.deepEqual(
    ownTasksOf(tasks).map(([name]) => name),
    ['My_quiz', 'My_quiz-2', 'piqa-2', 'own', 'own-2'],
  )
})

test('all registered tasks are chosen by their layouts, and files that are missing are not', () => {
  const datasets = [
    dataset('mmlu', '/mmlu'),
    dataset('piqa', '/gone', 'missing'),
    dataset('quiz', '/quiz.json'),
    dataset(null, '/text.txt'),
  ]
  assert.deepEqual(allRegistered({ mmlu: '/chosen' }, datasets), { mmlu: '/chosen', quiz: '/quiz.json' })
  assert.deepEqual(unusedTaskFiles(datasets, {}).length, 1)
  assert.deepEqual(unusedTaskFiles(datasets, { quiz: '/quiz.json' }), [])
})
