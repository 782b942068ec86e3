import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type EngineEvent, jobSchema } from '../../../engine/contract/index.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'

const sample = join(import.meta.dirname, '../../../resources/sample')

let folder = ''
before(async () => void (folder = await mkdtemp(join(tmpdir(), 'secateur-removal-'))))
after(() => rm(folder, { recursive: true }))

async function run(name: string, settings: object) {
  const events: EngineEvent[] = []
  const job = jobSchema.parse({
    kind: 'prune',
    checkpoint: join(sample, 'model'),
    out: join(folder, name),
    data: [join(sample, 'train.jsonl')],
    maxDocuments: 50,
    device: 'onnx',
    threads: 1,
    batchSize: 1,
    sequenceLength: 16,
    rank: 2,
    steps: 4,
    frequency: 1,
    ...settings,
  })
  const result = await runJob(job, {
    emit: (event) => events.push(event),
    signal: new AbortController().signal,
    resume: false,
  })
  const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))
  const sparsity = events.flatMap((event) => (event.type === 'step' ? [event.metrics.sparsity!] : []))
  return { result: result!, warnings, sparsity, estimate: events.find((event) => event.type === 'estimate')!.estimate }
}

test('channels that no adapter sees are all there after a run that keeps them, and every report says so', async () => {
  const { result, warnings, sparsity, estimate } = await run('kept', { targetModules: ['q', 'v'], keepUnscored: true })
  using dense = openCheckpoint(join(sample, 'model'))
  using pruned = openCheckpoint(result.checkpoint!)
  for (const [layer, { heads, channels }] of pruned.config.layers.entries()) {
    assert.equal(channels, dense.config.layers[layer]!.channels)
    assert.equal(heads, dense.config.layers[layer]!.heads / 2)
  }
  assert.match(warnings.join('\n'), /All channels stay: loraprune cannot score them/)
  const last = sparsity.at(-1)!
  assert.deepEqual([last.planned, last.heads, last.channels], [0.5, 0.5, 0])
  assert.deepEqual(result.removal, estimate.removal)
  assert.deepEqual(result.removal!.channels, { planned: 0, actual: 0 })
  assert.deepEqual(last.parameters, result.removal!.parameters)
  assert.equal(result.removal!.parameters.actual, 1 - pruned.parameters / dense.parameters)
})

test('a run whose heads cannot leave for rounding says so, and counts what does leave', async () => {
  const { result, warnings, sparsity } = await run('rounded', { ratio: 0.2 })
  assert.match(warnings.join('\n'), /^No heads leave: 20% of /)
  const { heads, channels, parameters } = result.removal!
  assert.deepEqual(heads, { planned: 0.2, actual: 0 })
  assert.ok(channels.actual > 0 && parameters.actual > 0 && parameters.actual < parameters.planned)
  assert.deepEqual(sparsity.at(-1)!.parameters, parameters)
})
