import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pruneSchema } from '../../../engine/contract/index.ts'
import { withThreads } from '../../../engine/runners/local.ts'
import { RunFolder } from '../../../engine/runs/run-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-local-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const task = (name: string, threads?: number) => {
  const out = join(folder, name)
  const job = pruneSchema.parse({ kind: 'prune', checkpoint: 'model', data: ['text.txt'], out, threads })
  return { name, job: { ...job, out } }
}
const threadsOf = (name: string, atOnce: number, threads?: number) =>
  withThreads(task(name, threads), atOnce).job.threads

test('tasks share the threads, unless they say how many they take', () => {
  const all = availableParallelism()
  assert.equal(threadsOf('alone', 1), undefined)
  assert.equal(threadsOf('one of two', 2), Math.max(1, Math.floor(all / 2)))
  assert.equal(threadsOf('one of many', 1000), 1)
  assert.equal(threadsOf('said', 1000, 3), 3)
})

test('a task that goes on keeps the threads that it was started with, however many are at work now', () => {
  for (const [name, threads] of [
    ['with seven', 7],
    ['with all', undefined],
  ] as const) {
    const { out } = task(name).job
    mkdirSync(out)
    RunFolder.create(out, task(name, threads).job).close()
    for (const atOnce of [1, 2, 1000]) assert.equal(threadsOf(name, atOnce), threads)
  }
})
