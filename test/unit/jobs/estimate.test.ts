import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Estimate, type FinetuneJob, jobSchema, type PruneJob } from '../../../engine/contract/index.ts'
import { estimateJob, refuseIfTooLarge } from '../../../engine/estimate/estimate.ts'
import { selfDataPasses } from '../../../engine/estimate/self-data.ts'
import { jobWarnings } from '../../../engine/estimate/job-warnings.ts'
import { forwardOperations, stepOperations } from '../../../engine/estimate/operations.ts'
import { trainableOf } from '../../../engine/lora/trainable.ts'
import { stepsOf } from '../../../engine/estimate/tokens.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { forModel } from '../../../engine/training/job-for-model.ts'
import { visionModel } from '../../fixtures/vision.ts'
import { sample } from '../../e2e/secateur.ts'

test('what does not fit is refused with both sizes, small ones in megabytes', () => {
  const sizes = { memoryBytes: 2.5e9, freeMemoryBytes: 1e12, diskBytes: 4.2e6, freeDiskBytes: 1e12 } as Estimate
  refuseIfTooLarge(sizes)
  assert.throws(() => refuseIfTooLarge({ ...sizes, freeMemoryBytes: 3.5e8 }), {
    kind: 'does-not-fit',
    message: /needs about 2\.50 GB of memory and 350\.0 MB are free/,
  })
  assert.throws(() => refuseIfTooLarge({ ...sizes, freeDiskBytes: 1e6 }), {
    kind: 'does-not-fit',
    message: /writes about 4\.2 MB and 1\.0 MB are free on the disk/,
  })
})

const job = (selfData: number, more: object = {}) =>
  jobSchema.parse({
    kind: 'finetune',
    checkpoint: sample('model'),
    data: [sample('train.jsonl')],
    out: 'runs/self',
    selfData,
    selfDataTokens: 1000,
    ...more,
  }) as FinetuneJob

test('rows that the dense model writes cost memory, disk and steps', async () => {
  using checkpoint = openCheckpoint(sample('model'))
  const [none, some] = [job(0), job(100)].map((each) => estimateJob(each, checkpoint))
  assert.equal(some!.diskBytes - none!.diskBytes, 2 * 5 * 100 * 1032)
  assert.ok(some!.memoryBytes > none!.memoryBytes)
  const control = { signal: new AbortController().signal, progress: () => {} }
  const perStep = 4 * 256
  assert.equal(await stepsOf(job(100), control), Math.ceil((2 * 100 * 1032) / perStep))
  assert.equal(
    await stepsOf(job(100, { selfDataUse: 'beside' }), control),
    Math.ceil((await stepsOf(job(0), control)) + (2 * 100 * 1032) / perStep),
  )
  assert.deepEqual(selfDataPasses(job(0), checkpoint), { passes: 0, seconds: 0 })
  assert.equal(selfDataPasses(job(100), checkpoint).passes, Math.ceil(100 / 16) * 1000)
})

test('what a run has written already is not counted once more where it goes on', (context) => {
  using checkpoint = openCheckpoint(sample('model'))
  const out = mkdtempSync(join(tmpdir(), 'secateur-estimate-'))
  context.after(() => rmSync(out, { recursive: true }))
  const given = { kind: 'prune', checkpoint: sample('model'), data: [sample('train.jsonl')], selfData: 10, out }
  const pruning = jobSchema.parse(given) as PruneJob
  const needed = () => estimateJob(pruning, checkpoint).diskBytes
  const fresh = needed()
  const write = (bytes: number, ...place: string[]) => {
    mkdirSync(join(out, ...place.slice(0, -1)), { recursive: true })
    writeFileSync(join(out, ...place), Buffer.alloc(bytes))
  }
  write(1000, 'state', 'state.safetensors')
  assert.equal(fresh - needed(), 1000)
  write(2000, '.output.partial-0a1b', 'model.safetensors')
  write(3000, 'output', 'model.safetensors')
  assert.equal(fresh - needed(), 6000)
  write(500, 'self-data.jsonl')
  assert.equal(fresh - needed(), 6500)
  const facts = { version: 1, key: 'a', rows: 10, sha256: 'b' }
  writeFileSync(join(out, 'self-data.json'), JSON.stringify(facts))
  assert.equal(fresh - needed(), 7000)
  write(5000, 'metrics.jsonl')
  assert.equal(fresh - needed(), 7000, 'what no estimate counts takes no room from what it does')
  write(2 * fresh, 'output', 'model.safetensors')
  assert.ok(needed() > 0, 'a large output leaves no room for the state')
})

const taught = (more: object) => job(0, { distil: 1, epochs: 4, ...more })

test('the likeliest tokens of a teacher cost disk, which the estimate names, and fewer passes', async () => {
  using checkpoint = openCheckpoint(sample('model'))
  const [without, kept] = [taught({ steps: 10 }), taught({ steps: 10, distilCache: 64 })]
  const tokens = 10 * 4 * 256
  const more = estimateJob(kept, checkpoint).diskBytes - estimateJob(without, checkpoint).diskBytes
  assert.equal(more, 8 * 64 * tokens)
  assert.match((await jobWarnings(kept, checkpoint)).join(), /likeliest tokens take up to 5\.2 MB in .*teachers/)
  const forward = 4 * 256 * forwardOperations(checkpoint.config, 256)
  const operations = (given: FinetuneJob) => stepOperations(given, checkpoint.config)
  const saved = operations(taught({})) - operations(taught({ distilCache: 64 }))
  assert.ok(Math.abs(saved / forward - 3 / 4) < 1e-9)
})

test('rows that are no examples make no steps, beyond the first ones that are read too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'secateur-estimate-'))
  try {
    const rows = readFileSync(sample('train.jsonl'), 'utf8').trimEnd().split('\n').slice(0, 300)
    const files = { whole: rows, half: rows.flatMap((row) => [row, '{"text": ""}']) }
    const control = { signal: new AbortController().signal, progress: () => {} }
    const [whole, half] = await Promise.all(
      Object.entries(files).map(async ([name, lines]) => {
        const path = join(folder, `${name}.jsonl`)
        writeFileSync(path, `${lines.join('\n')}\n`)
        return await stepsOf(job(0, { data: [path], epochs: 10 }), control)
      }),
    )
    assert.ok(Math.abs(half! / whole! - 1) < 0.1, `${half} steps of the same examples, not ${whole}`)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the share that is trained is one of the model with its adapter, in which a trained classifier counts once', () => {
  // ViT-B/16 with its 1000 classes, and rank 4 on q, k, v, o, fc1 and fc2.
  const [whole, headless, adapter] = [86_567_656, 85_798_656, 663_552]
  const share = (classifier: number, model: number) =>
    (100 * trainableOf({ adapter, classifier }, model).fraction).toFixed(2)
  assert.equal(share(0, whole), '0.76')
  assert.equal(share(769 * 100, headless + 769 * 100), '0.86')
  using checkpoint = openCheckpoint(visionModel('vit_hf'))
  const estimateOf = (trainClassifier: boolean) =>
    estimateJob(forModel(job(0, { trainClassifier }), checkpoint.config), checkpoint).trainable!
  const [alone, both] = [estimateOf(false), estimateOf(true)]
  assert.ok(both.parameters > alone.parameters)
  const all = ({ parameters, fraction }: typeof alone) => Math.round(parameters / fraction)
  assert.equal(all(both), all(alone), 'whichever part of it is trained')
})
