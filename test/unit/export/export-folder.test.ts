import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { before, test, type TestContext } from 'node:test'
import { toFloat32 } from '../../../engine/checkpoint/dtype.ts'
import { type EngineEvent, exportSchema } from '../../../engine/contract/index.ts'
import { hashFolder } from '../../../engine/checkpoint/hash.ts'
import { exportCheckpoint } from '../../../engine/jobs/export.ts'
import { inspectFolder } from '../../../engine/jobs/inspect-folder.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { expectedTensors } from '../../../engine/models/tensors.ts'
import { fixtureModel } from '../../fixtures/read.ts'
import { temporaryFolder } from '../checkpoint/safetensors-bytes.ts'
import { startBackend } from '../models/shared.ts'

before(startBackend)

async function exported(context: TestContext, settings: object, signal = new AbortController().signal) {
  const out = join(temporaryFolder(context), 'out')
  const checkpoint = fixtureModel('llama_gqa')
  const job = exportSchema.parse({ kind: 'export', checkpoint, out, device: 'onnx', threads: 1, ...settings })
  const events: EngineEvent[] = []
  const emit = (event: EngineEvent) => void events.push(event)
  return { out, events, result: (await exportCheckpoint(job, { emit, signal, resume: false })).export! }
}

test('a checkpoint is written in another type and in shards, read back and run', async (context) => {
  const { out, result } = await exported(context, { format: 'safetensors', dtype: 'bf16', shardSize: 5e-6 })
  assert.deepEqual([result.file, result.type, result.bitsPerWeight], [out, 'bfloat16', 16])
  const shards = readdirSync(out).filter((name) => name.endsWith('.safetensors'))
  assert.ok(shards.length > 2 && existsSync(join(out, 'model.safetensors.index.json')))
  using written = openCheckpoint(out)
  using original = openCheckpoint(fixtureModel('llama_gqa'))
  assert.equal(written.dtype, 'bfloat16')
  for (const name of expectedTensors(original.config).keys()) {
    const [one, other] = [original, written].map((each) => toFloat32(each.read(name)))
    for (const [index, value] of one!.entries())
      assert.ok(Math.abs(other![index]! - value) <= 2 ** -8 * Math.abs(value))
  }
  assert.ok(
    result.proof!.tokens > 100 && result.proof!.worst > 0 && result.proof!.worst < 1,
    JSON.stringify(result.proof),
  )
  assert.match(
    readFileSync(join(out, 'README.md'), 'utf8'),
    /# llama_gqa, with its weights in bfloat16[^]*differ from those/,
  )
})

test('the same type and size give the same weights, and the proof says so', async (context) => {
  const { out, result } = await exported(context, { format: 'safetensors' })
  assert.deepEqual([result.proof!.worst, result.proof!.mean], [0, 0])
  using written = openCheckpoint(out)
  using original = openCheckpoint(fixtureModel('llama_gqa'))
  for (const name of expectedTensors(original.config).keys())
    assert.equal(Buffer.compare(written.read(name).bytes, original.read(name).bytes), 0, name)
})

test('a checkpoint is written as ONNX, with what else belongs there, and proved by ONNX Runtime', async (context) => {
  const { out, result } = await exported(context, { format: 'onnx' })
  assert.deepEqual(readdirSync(out).sort(), ['README.md', 'config.json', 'model.onnx', 'model.onnx_data'])
  assert.equal(statSync(join(out, 'model.onnx_data')).size % 4, 0)
  assert.ok(result.proof!.tokens > 100 && result.proof!.worst < 1e-4, JSON.stringify(result.proof))
  assert.match(readFileSync(join(out, 'README.md'), 'utf8'), /library_name: onnx[^]*InferenceSession/)
  const found = await inspectFolder({ checkpoint: out })
  assert.ok(found.kind === 'checkpoint' && found.format === 'onnx')
  using original = openCheckpoint(fixtureModel('llama_gqa'))
  assert.deepEqual([found.parameters, found.dtype, found.family], [original.parameters, original.dtype, 'llama'])
  const loads = found.compatibility.filter((each) => each.loads === 'yes')
  assert.deepEqual(
    loads.map(({ program }) => program),
    ['ONNX Runtime'],
  )
  const control = { signal: new AbortController().signal, progress: () => {} }
  assert.equal((await hashFolder({ folder: out }, control)).files, 3)
})

test('a stopped export, or one into a folder that holds something, leaves nothing behind', async (context) => {
  for (const format of ['safetensors', 'onnx']) {
    const stop = new AbortController()
    stop.abort()
    const folder = temporaryFolder(context)
    const out = join(folder, 'out')
    await assert.rejects(exported(context, { format, out, proof: false }, stop.signal))
    assert.deepEqual(readdirSync(folder), [])
    await assert.rejects(exported(context, { format, out: fixtureModel('llama_mha'), proof: false }), /not empty/)
  }
})
