import assert from 'node:assert/strict'
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, test } from 'node:test'
import type { RunDetail } from '../../../electron/contract/index.ts'
import { sample, TestApp } from '../../unit/electron/services.ts'

let app: TestApp
let base: number
before(async () => {
  app = await TestApp.open()
  base = (await app.ask('library.import', { path: join(sample, 'model') })).id
})
after(() => app.remove())

const jobOf = (settings: object) => ({
  kind: 'export',
  checkpoint: join(sample, 'model'),
  device: 'onnx',
  threads: 1,
  ...settings,
})
const done = (id: number) => app.until(id, ({ state }) => state === 'done')
const folder = () => join(app.dataFolder, 'checkpoints')

let gguf: RunDetail

test('an export says its sizes, writes a file that is an entry with its proof, and stands in both lineages', async () => {
  const place = await app.ask('library.exportPlace', { id: base, format: 'gguf', type: 'q8_0' })
  assert.equal(place, join(folder(), 'model-Q8_0.gguf'))
  const job = jobOf({ format: 'gguf', type: 'q8_0' })
  const { export: choices, diskBytes } = await app.ask('runs.estimate', { job })
  assert.equal(choices!.types['q8_0'], diskBytes)
  const { id, name } = await app.ask('runs.create', { job })
  assert.equal(name, 'model as GGUF, q8_0')
  gguf = await done(id)
  const written = gguf.result!.export!
  assert.deepEqual([written.file, written.bytes], [place, statSync(place).size])
  assert.ok(written.proof!.tokens > 100 && written.proof!.worst > 0 && written.proof!.mean < written.proof!.worst)

  const entry = await app.ask('library.get', { id: gguf.outputId! })
  assert.deepEqual(
    [entry.name, entry.path, entry.kind, entry.format, entry.storage, entry.dtype, entry.runId],
    ['model-Q8_0', place, 'exported', 'gguf', 'run-output', 'Q8_0', id],
  )
  assert.deepEqual(entry.exported, written)
  assert.ok(entry.quantisation!.bitsPerWeight > 8 && entry.quantisation!.types['Q8_0']! > 0)
  const edges = [
    { from: `run-${id}`, to: `checkpoint-${entry.id}` },
    { from: `checkpoint-${base}`, to: `run-${id}` },
  ]
  for (const each of [base, entry.id]) assert.deepEqual((await app.ask('library.lineage', { id: each })).edges, edges)
  const { compatibility } = await app.ask('library.get', { id: base })
  assert.deepEqual(
    compatibility.map(({ program }) => program),
    ['transformers', 'llama.cpp', 'ONNX Runtime', 'Secateur'],
  )
  assert.match((await app.problem('runs.export', { id, to: app.dataFolder })).message, /no run folder.*model-Q8_0/)
})

test('nothing is written over, and what is in the way is named', async () => {
  assert.equal(
    await app.ask('library.exportPlace', { id: base, format: 'gguf', type: 'q8_0' }),
    join(folder(), 'model-Q8_0-2.gguf'),
  )
  const { file } = gguf.result!.export!
  const job = jobOf({ format: 'gguf', type: 'q8_0', out: file, proof: false })
  const { kind, message } = await app.problem('runs.create', { job })
  assert.deepEqual([kind, message.includes(`${file}: already exists`)], ['bad-file', true], message)
  writeFileSync(join(app.dataFolder, 'a-file'), '')
  const within = join(app.dataFolder, 'a-file/model.gguf')
  assert.match((await app.problem('runs.create', { job: { ...job, out: within } })).message, /a-file is a file/)
})

test('a cancelled export leaves nothing, and another one may have its place', async () => {
  const place = join(app.dataFolder, 'elsewhere/model.gguf')
  const job = jobOf({ format: 'gguf', type: 'q4_k_m', out: place })
  const { id } = await app.ask('runs.create', { job })
  await app.until(id, ({ state, progress }) => state === 'running' && (progress?.done ?? 0) > 0)
  await app.ask('runs.cancel', { id })
  const cancelled = await app.until(id, ({ state }) => state === 'cancelled')
  assert.deepEqual([cancelled.outputId, cancelled.resumable], [null, true])
  assert.deepEqual(readdirSync(join(app.dataFolder, 'elsewhere')), [])
  const again = await app.ask('runs.create', { job: { ...job, type: 'f16', proof: false } })
  const { result } = await done(again.id)
  assert.deepEqual([result!.export!.file, result!.export!.proof], [place, undefined])
  // The file is not that of the run which was cancelled.
  await app.ask('runs.remove', { ids: [id], files: 'trash' })
  assert.ok(existsSync(place))
  assert.deepEqual(app.platform.trashed, [])
})

test('what was exported is there after a restart, also where the app ended before the export', async () => {
  const { outputId, id } = gguf
  await app.close()
  // As a process leaves it that ended after the app was killed.
  const { openDatabase } = await import('../../../electron/database/open.ts')
  const { db } = openDatabase(app.dataFolder)
  db.prepare("UPDATE runs SET state = 'running', result = NULL, output_id = NULL WHERE id = ?").run(id)
  db.close()
  app = await TestApp.open(app.dataFolder)
  const run = await done(id)
  assert.equal(run.outputId, outputId)
  assert.deepEqual([basename(run.result!.export!.file), run.result!.export!.proof], ['model-Q8_0.gguf', undefined])
  const entry = await app.ask('library.get', { id: outputId! })
  assert.deepEqual([entry.kind, entry.status], ['exported', 'present'])
})

test('with an export its model card goes to the trash', async () => {
  const { file } = gguf.result!.export!
  await app.ask('runs.remove', { ids: [gguf.id], files: 'trash' })
  assert.deepEqual(app.platform.trashed, [file, file.replace('.gguf', '.README.md')])
  assert.equal((await app.ask('library.get', { id: gguf.outputId! })).status, 'missing')
})
