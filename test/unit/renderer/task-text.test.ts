import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runState } from '../../../electron/contract/index.ts'
import { printsNoMore, taskText } from '../../../renderer/src/screens/run/task-text.ts'

const task = { id: '7_1', state: 'PENDING', node: '', time: '0:00', reason: 'Resources' }
const found = { task, asked: null, output: null }

const watched = (told: Parameters<typeof printsNoMore>[1]) =>
  runState.options.filter((state) => !printsNoMore(state, told))

test('a task that has ended in any way is looked at no more, and one that waits to go on is', () => {
  const going = ['queued', 'starting', 'running', 'stopping']
  assert.deepEqual(watched(found), [...going, 'paused', 'interrupted'])
  assert.deepEqual(watched(undefined), [...going, 'paused', 'interrupted'])
  assert.deepEqual(watched({ ...found, task: null }), going)
  assert.deepEqual(watched(null), going)
})

test('a task is told as its scheduler has it', () => {
  assert.equal(taskText(task), 'pending: Resources')
})
