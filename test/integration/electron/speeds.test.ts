import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { findLlamaCpp } from '../../../engine/llama-cpp/installed.ts'
import { root, sample, TestApp } from '../../unit/electron/services.ts'

let app: TestApp
let dense: number
let pruned: number
const cache = mkdtempSync(join(tmpdir(), 'secateur-speeds-'))
const add = async (path: string) => (await app.ask('library.import', { path })).id
before(async () => {
  app = await TestApp.open(undefined, { XDG_CACHE_HOME: cache })
  await app.ask('settings.set', { threads: 1 })
  dense = await add(join(sample, 'model'))
  cpSync(join(sample, 'model'), join(app.dataFolder, 'pruned'), { recursive: true })
  pruned = await add(join(app.dataFolder, 'pruned'))
})
after(async () => {
  await app.remove()
  rmSync(cache, { recursive: true, force: true })
})

const short = { promptTokens: [4, 8], newTokens: 3, repeats: 1 }
const taskOf = (id: number) => app.told('task').findLast((task) => task.kind === 'measure' && task.subject?.id === id)

test('a checkpoint is measured beside another, in each type, and what was measured is kept', async (t) => {
  if ('missing' in findLlamaCpp()) return t.skip('there is no llama.cpp for this platform')
  const unmeasured = await app.ask('speeds.of', { id: pruned })
  assert.deepEqual(unmeasured, { reports: [], refusal: null, asItIs: false, dense: null })
  const report = await app.ask('speeds.measure', { id: pruned, beside: dense, types: ['f16', 'q8_0'], ...short })
  assert.deepEqual(
    report.rows.map(({ checkpointId, name, ran }) => [checkpointId, name, ran.runner, ran.type]),
    [
      [dense, 'model', 'llama.cpp', 'f16'],
      [pruned, 'pruned', 'llama.cpp', 'f16'],
      [dense, 'model', 'llama.cpp', 'q8_0'],
      [pruned, 'pruned', 'llama.cpp', 'q8_0'],
    ],
  )
  for (const { lengths, memoryBytes, weightBytes, ran } of report.rows) {
    assert.deepEqual(
      lengths.map(({ prompt }) => prompt),
      [4, 8],
    )
    for (const { promptTokensPerSecond, generatedTokensPerSecond } of lengths)
      assert.ok(promptTokensPerSecond > 0 && generatedTokensPerSecond > 0)
    assert.ok(memoryBytes > weightBytes && weightBytes > 0 && ran.proof)
  }
  assert.ok(report.rows[2]!.weightBytes < 0.6 * report.rows[0]!.weightBytes)
  assert.deepEqual((await app.ask('speeds.of', { id: pruned })).reports, [report])
  const { state, done, total } = taskOf(pruned)!
  assert.deepEqual([state, done, total], ['done', 1000, 1000])
  assert.ok(app.told('speeds').some(({ id }) => id === pruned))
})

test('where a back end is asked for Secateur answers, once for all types, and says why', async () => {
  await app.ask('settings.set', { device: 'onnx' })
  const { rows } = await app.ask('speeds.measure', { id: dense, types: ['f16', 'q4_k_m'], ...short })
  assert.deepEqual(
    rows.map(({ ran }) => ran.name),
    ['Secateur (onnx)'],
  )
  assert.match(rows[0]!.ran.why!, /device onnx is asked for/)
})

test('what waits for a run says so, goes on beside it if it is told to, and is forgotten when it is cancelled', async () => {
  const run = await app.startLongRun()
  const waits = async (id: number) => {
    for (;;) {
      const { waitsFor } = await app.ask('speeds.of', { id })
      if (waitsFor !== undefined) return waitsFor
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const measured = app.ask('speeds.measure', { id: dense, ...short })
  assert.deepEqual(await waits(dense), { id: run.id, name: run.name })
  assert.equal((await app.problem('speeds.measure', { id: dense, ...short })).kind, 'conflict')
  await app.ask('speeds.now', { id: dense })
  const { id } = await measured
  const cancelled = app.problem('speeds.measure', { id: pruned, ...short })
  await waits(pruned)
  assert.match((await app.problem('library.remove', { id: pruned, files: 'trash' })).message, /is being measured/)
  await app.ask('tasks.cancel', { id: taskOf(pruned)!.id })
  assert.equal((await cancelled).kind, 'interrupted')
  assert.equal((await app.ask('speeds.of', { id: pruned })).waitsFor, undefined)
  await app.ask('runs.cancel', { id: run.id })
  await app.ask('speeds.remove', { id })
  const isKept = async () => (await app.ask('speeds.of', { id: dense })).reports.some((report) => report.id === id)
  assert.equal(await isKept(), false)
  await app.ask('speeds.restore', { id })
  assert.equal(await isKept(), true)
  await app.ask('speeds.remove', { id })
  await app.ask('speeds.measure', { id: dense, ...short })
  assert.equal((await app.problem('speeds.remove', { id })).kind, 'not-found')
})

test('what writes no text is not measured, and says why', async () => {
  const images = await add(join(root, 'resources/sample-vit/model'))
  assert.match((await app.ask('speeds.of', { id: images })).refusal!, /is a model of images/)
  assert.match((await app.problem('speeds.measure', { id: images, ...short })).message, /is a model of images/)
})
