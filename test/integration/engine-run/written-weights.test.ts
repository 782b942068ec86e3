import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { toFloat32 } from '../../../engine/checkpoint/dtype.ts'
import { type EngineEvent, jobSchema } from '../../../engine/contract/index.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { readRunFile } from '../../../engine/runs/run-files.ts'

const sample = join(import.meta.dirname, '../../../resources/sample')
let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'secateur-written-'))
})
after(() => rm(folder, { recursive: true }))

/** Runs a job on the sample; returns its events. */
async function run(kind: 'prune' | 'finetune' | 'merge', out: string, settings: object, resume = false) {
  const training = { data: [join(sample, 'train.jsonl')], maxDocuments: 20, batchSize: 1, sequenceLength: 32, steps: 2 }
  const job = jobSchema.parse({
    kind,
    checkpoint: join(sample, 'model'),
    out: join(folder, out),
    ...(kind !== 'merge' && { ...training, device: 'onnx', threads: 1 }),
    ...settings,
  })
  const events: EngineEvent[] = []
  const emit = (event: EngineEvent) => void events.push(event)
  await runJob(job, { emit, signal: new AbortController().signal, resume })
  return events
}

test('weights that overflow the written type are written in another one when the run is resumed', async () => {
  const settings = { frequency: 1, learningRate: 1, alpha: 1e6, outputDtype: 'float16' }
  await assert.rejects(
    run('prune', 'overflow', settings),
    /numbers too large for float16: give the same command with --resume and --output-dtype bfloat16 or float32/,
  )
  const output = join(folder, 'overflow/output')
  assert.ok(!existsSync(output))
  await assert.rejects(
    run('prune', 'overflow', { ...settings, outputDtype: 'bfloat16', alpha: 1 }, true),
    /alpha: .*a run is continued as it was started/,
  )
  const resumed = await run('prune', 'overflow', { ...settings, outputDtype: 'bfloat16' }, true)
  assert.ok(!resumed.some(({ type }) => type === 'step'), 'nothing is trained again')
  using written = openCheckpoint(output)
  assert.equal(written.dtype, 'bfloat16')
  const { job } = readRunFile(join(folder, 'overflow'))
  assert.ok(job.kind === 'prune' && job.outputDtype === 'bfloat16')
  await assert.rejects(
    run('prune', 'overflow', { ...settings, outputDtype: 'float32' }, true),
    /outputDtype: .*is written already, with --output-dtype bfloat16/,
  )
})

/** Every number of a checkpoint's linear layers, row by row. */
function weightsOf(path: string): Float32Array[] {
  using checkpoint = openCheckpoint(path)
  return [...checkpoint.tensors.keys()]
    .filter((name) => name.includes('_proj'))
    .map((name) => toFloat32(checkpoint.read(name)).slice())
}

/** What is warned of 8 bits. */
const warningsOf = (events: EngineEvent[]) =>
  events.flatMap((event) => (event.type === 'warning' && /8 bits/.test(event.message) ? [event.message] : []))

test('an adapter is merged into the weights that it was trained over where that is asked for', async () => {
  const untrained = { criterion: 'magnitude', schedule: 'one-shot', healing: false }
  const settings = { int8: true, outputDtype: 'float32', ...untrained }
  const original = await run('prune', 'original', settings)
  const trained = await run('prune', 'trained', { ...settings, mergeInto: 'trained' })
  assert.match(warningsOf(original).join(), /merged into the original weights.*--merge-into trained/)
  assert.deepEqual(warningsOf(trained), [])
  const tuned = await run('finetune', 'tuned', { int8: true, steps: 1 })
  assert.match(warningsOf(tuned).join(), /secateur merge .*--merge-into trained/)
  const adapter = join(folder, 'tuned/output')
  await run('merge', 'merged', { adapter, outputDtype: 'float32' })
  await run('merge', 'merged-trained', { adapter, outputDtype: 'float32', mergeInto: 'trained' })
  for (const [one, other] of [
    ['original/output', 'trained/output'],
    ['merged', 'merged-trained'],
  ] as const) {
    const [plain, rounded] = [weightsOf(join(folder, one)), weightsOf(join(folder, other))]
    let differences = 0
    for (const [i, values] of plain.entries())
      for (const [at, value] of values.entries()) {
        const difference = Math.abs(value - rounded[i]![at]!)
        // Half of the largest weight's 127th part.
        assert.ok(difference < 0.01, `${one}: ${difference}`)
        if (difference > 0) differences++
      }
    assert.ok(differences > 0.8 * plain.reduce((sum, values) => sum + values.length, 0))
  }
})
