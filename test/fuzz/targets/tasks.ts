import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { evaluationSchema } from '../../../engine/contract/index.ts'
import { openTask } from '../../../engine/evaluation/open-task.ts'
import { readTask } from '../../../engine/evaluation/read-task.ts'
import { root } from '../../unit/electron/services.ts'
import type { Target } from '../target.ts'

const fixture = (name: string) => readFileSync(join(root, 'test/fixtures/tasks', name))
const { signal } = new AbortController()

/** A task file of the user's own with its data, whose templates run over every row. */
export const ownTasks: Target = {
  name: 'own-tasks',
  seeds: () => [
    Object.fromEntries(['quiz.json', 'test.jsonl', 'train.jsonl'].map((name) => [name, fixture(`own/${name}`)])),
  ],
  async read(folder) {
    await openTask('mine', evaluationSchema.parse({ tasks: { mine: join(folder, 'quiz.json') } }), signal)
  },
}

/** A subject of MMLU as the original archive has it. */
export const mmlu: Target = {
  name: 'mmlu',
  seeds: () => [{ 'anatomy_test.csv': fixture('mmlu/data/test/anatomy_test.csv') }],
  async read(folder) {
    await readTask('mmlu', join(folder, 'anatomy_test.csv'))
  },
}
