import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test, type TestContext } from 'node:test'
import type { TokenBatch } from '../../../engine/data/batches.ts'
import { exportGgufSchema } from '../../../engine/contract/index.ts'
import { Calibration, calibrationTexts } from '../../../engine/export/calibrate.ts'
import { exportGguf } from '../../../engine/export/gguf/export.ts'
import { proofTexts } from '../../../engine/export/proof-texts.ts'
import { prove } from '../../../engine/export/proof.ts'
import { exportMemory, exportSeconds } from '../../../engine/export/size.ts'
import { type Checkpoint, openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { embedBatch } from '../../../engine/models/forward.ts'
import { disposeModel, loadModel } from '../../../engine/models/load.ts'
import { Random } from '../../../engine/shared/random.ts'
import { type Tensor, tf } from '../../../engine/tensor/tf.ts'
import { passOf } from '../../../engine/training/gradients.ts'
import { fixtureModel } from '../../fixtures/read.ts'
import { temporaryFolder } from '../checkpoint/safetensors-bytes.ts'
import { startBackend } from '../models/shared.ts'

before(startBackend)

const sample = join(import.meta.dirname, '../../../resources/sample')
const control = { signal: new AbortController().signal, progress: () => {} }

function batchesOf(vocabulary: number, count: number, rows: number, length: number): TokenBatch[] {
  const random = new Random(5)
  return Array.from({ length: count }, () => {
    const ids = Int32Array.from({ length: rows * length }, () => random.integer(vocabulary))
    return { ids, labels: ids, segments: null, positions: null, rows, length, targets: rows * length }
  })
}

/** Mean difference of log-likelihoods that an export leaves: as it is, and rounded for batches. */
async function losses(context: TestContext, checkpoint: Checkpoint, batches: readonly TokenBatch[], shares: number[]) {
  const folder = temporaryFolder(context)
  const lossOf = async (calibrated: (() => Promise<Calibration>) | null) => {
    const out = join(folder, `${calibrated !== null}.gguf`)
    const job = exportGgufSchema.parse({ kind: 'export', format: 'gguf', checkpoint: 'm', out, type: 'q4_0' })
    const proving = (file: string) => prove(file, checkpoint, control)
    const { proof } = await exportGguf(job, checkpoint, { ...control, say() {}, warn() {}, calibrated, prove: proving })
    return proof!.mean
  }
  const progress = (part: number, total: number) => void shares.push(part / total)
  const calibration = () => Promise.resolve(new Calibration(checkpoint, batches, { ...control, progress }))
  return [await lossOf(null), await lossOf(calibration)] as const
}

test('Q4_0 loses much less where it is rounded for a text', async (context) => {
  using checkpoint = openCheckpoint(join(sample, 'model'))
  // The texts of the proof: none of those that the sample was trained on, so that what it says of others tells little of them.
  const file = join(temporaryFolder(context), 'texts.txt')
  writeFileSync(file, Array.from({ length: 8 }, () => proofTexts.join('\n\n')).join('\n\n'))
  const texts = await calibrationTexts(file, checkpoint, control)
  const shares: number[] = []
  const [plain, rounded] = await losses(context, checkpoint, texts.slice(0, 1), shares)
  assert.ok(rounded < 0.7 * plain, `${rounded} of ${plain}`)
  assert.deepEqual([shares, shares.at(-1)], [shares.toSorted((one, other) => one - other), 1])
})

// llama_gqa: channels are filled up with zeros; phi3_fused: queries, keys and values are one matrix.
for (const name of ['llama_gqa', 'phi3_fused'] as const)
  test(`${name} is rounded for a text too`, async (context) => {
    using checkpoint = openCheckpoint(fixtureModel(name))
    const batches = batchesOf(checkpoint.config.vocabularySize, 2, 4, 64)
    const [plain, rounded] = await losses(context, checkpoint, batches, [])
    // There is little to win: the inputs of these models have nothing in common.
    assert.ok(rounded < 0.95 * plain, `${rounded} of ${plain}`)
  })

test('a calibration that is stopped leaves no file', async (context) => {
  using checkpoint = openCheckpoint(fixtureModel('llama_gqa'))
  const out = join(temporaryFolder(context), 'stopped.gguf')
  const stop = new AbortController()
  const stopping = { signal: stop.signal, progress: () => stop.abort() }
  const batches = batchesOf(checkpoint.config.vocabularySize, 2, 2, 16)
  const job = exportGgufSchema.parse({ kind: 'export', format: 'gguf', checkpoint: 'm', out, type: 'q4_0' })
  const calibrated = () => Promise.resolve(new Calibration(checkpoint, batches, stopping))
  const tensors = tf.memory().numTensors
  await assert.rejects(
    exportGguf(job, checkpoint, { ...stopping, progress() {}, say() {}, warn() {}, calibrated, prove: null }),
    /abort/i,
  )
  assert.equal(existsSync(out), false)
  assert.equal(tf.memory().numTensors, tensors)
})

test('what is read through values is what attention makes of their inputs', () => {
  using checkpoint = openCheckpoint(fixtureModel('llama_gqa'))
  const { config } = checkpoint
  const [rows, length] = [2, 6]
  const [batch] = batchesOf(config.vocabularySize, 1, rows, length)
  const model = loadModel(checkpoint)
  const seen: Record<string, Tensor> = {}
  using pass = passOf(config, batch!)
  const x = embedBatch(model, batch!)
  const keep = (name: string, tensor: Tensor) => void (seen[name] = tf.keep(tf.clone(tensor)))
  const y = model.family.block(x, model.layers[0]!, config, pass, {
    observe: keep,
    observeValues: (read) => keep('values', read),
  })
  const { heads, keyValueHeads } = config.layers[0]!
  const { headSize, hiddenSize } = config
  const weight = checkpoint.read('model.layers.0.self_attn.v_proj.weight')
  const toValues = new Float32Array(weight.bytes.buffer, weight.bytes.byteOffset, keyValueHeads * headSize * hiddenSize)
  const [read, context] = ['values', 'o'].map((name) => seen[name]!.dataSync() as Float32Array)
  for (let token = 0; token < rows * length; token++) {
    const head = token % heads
    const group = Math.floor(head / (heads / keyValueHeads))
    for (let i = 0; i < headSize; i++) {
      let value = 0
      for (let j = 0; j < hiddenSize; j++)
        value += toValues[(group * headSize + i) * hiddenSize + j]! * read![token * hiddenSize + j]!
      assert.ok(Math.abs(value - context![(token * heads + head) * headSize + i]!) < 1e-5)
    }
  }
  tf.dispose([x, y, ...Object.values(seen)])
  disposeModel(model)
})

test('an estimate counts the time and the memory of a calibration, and the time of a proof', () => {
  using checkpoint = openCheckpoint(join(sample, 'model'))
  const settings = {
    kind: 'export',
    format: 'gguf',
    checkpoint: 'm',
    out: 'm.gguf',
    type: 'q4_0',
    proof: false,
    threads: 1,
  }
  const [plain, calibrated] = [{}, { calibrate: 'texts.txt' }].map((more) =>
    exportGgufSchema.parse({ ...settings, ...more }),
  )
  const [short, long] = [plain!, calibrated!].map((each) => exportSeconds(each, checkpoint))
  assert.ok(short!.calibrating === 0 && long!.calibrating > 5 && long!.writing === short!.writing)
  assert.ok(short!.proving === 0 && exportSeconds({ ...plain!, proof: true }, checkpoint).proving > 1)
  assert.ok(exportMemory(calibrated!, checkpoint) > exportMemory(plain!, checkpoint) + 100e6)
})
