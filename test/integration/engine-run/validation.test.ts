import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type EngineEvent, jobSchema, type ResultEvent, type StepMetrics } from '../../../engine/contract/index.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { sample } from '../../e2e/secateur.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-validation-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** A learning rate that is far too large for the last steps, so that the best step is not the last. */
const jobFor = (name: string, settings: object) =>
  jobSchema.parse({
    kind: 'finetune',
    checkpoint: sample('model'),
    out: join(folder, name),
    data: [sample('train.jsonl')],
    maxDocuments: 12,
    device: 'onnx',
    threads: 1,
    batchSize: 2,
    sequenceLength: 16,
    steps: 5,
    saveEvery: 2,
    learningRate: 0.02,
    learningRateSchedule: 'constant',
    validation: 0.25,
    validationEvery: 2,
    ...settings,
  })

async function run(
  name: string,
  settings: object = {},
  { resume = false, stopAt }: { resume?: boolean; stopAt?: (event: EngineEvent) => boolean } = {},
) {
  const stop = new AbortController()
  const events: EngineEvent[] = []
  let result: ResultEvent | null = null
  try {
    result = await runJob(jobFor(name, settings), {
      emit: (event) => {
        events.push(event)
        if (stopAt?.(event)) stop.abort(new SecateurError('interrupted', 'stopped'))
      },
      signal: stop.signal,
      resume,
    })
  } catch (error) {
    if (!(error instanceof SecateurError) || error.kind !== 'interrupted') throw error
  }
  const text = readFileSync(join(folder, name, 'metrics.jsonl'), 'utf8')
  const lines = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as StepMetrics)
  return { events, result, text, lines, validation: result?.validation }
}

const weights = (name: string, file = 'adapter_model.safetensors') => readFileSync(join(folder, name, 'output', file))

test('the loss on held-out rows is measured every so many steps and at the last, and the best step is written', async () => {
  const whole = await run('whole')
  const measured = whole.lines.filter(({ validationLoss }) => validationLoss !== undefined)
  assert.deepEqual(
    measured.map(({ step }) => step),
    [2, 4, 5],
  )
  const least = measured.reduce((best, line) => (line.validationLoss! < best.validationLoss! ? line : best))
  const { targets, ...said } = whole.validation!
  assert.deepEqual(said, {
    file: null,
    seed: 0,
    rows: 3,
    last: measured.at(-1)!.validationLoss,
    best: { step: least.step, loss: least.validationLoss },
    written: least.step,
  })
  assert.ok(targets > 30)
  assert.notEqual(least.step, 5)
  const told = whole.events.filter((event) => event.type === 'validated')
  assert.deepEqual(
    told.map(({ step, loss }) => [step, loss]),
    measured.map(({ step, validationLoss }) => [step, validationLoss]),
  )

  // A run that ends at the best step leaves the same adapter.
  const short = await run('short', { steps: least.step })
  assert.equal(short.validation!.last, least.validationLoss)
  assert.ok(weights('short').equals(weights('whole')))

  // Stopped in the middle of a measurement, at the last step too.
  let validating = 0
  for (const [name, stopAt] of [
    [
      'at-a-measurement',
      (event: EngineEvent) =>
        event.type === 'progress' && event.stage === 'validating' && event.done === 1 && ++validating === 2,
    ],
    [
      'at-the-last',
      (event: EngineEvent) =>
        event.type === 'progress' && event.stage === 'validating' && event.done === 1 && ++validating === 5,
    ],
  ] as const) {
    const stopped = await run(name, {}, { stopAt })
    assert.equal(stopped.result, null, name)
    const resumed = await run(name, {}, { resume: true })
    assert.equal(resumed.text, whole.text, name)
    assert.deepEqual(resumed.validation, whole.validation, name)
    assert.ok(weights(name).equals(weights('whole')), name)
  }
})

test('a file of its own changes nothing of the training, and its loss is the one that training reports of it', async () => {
  const file = join(folder, 'validation.jsonl')
  writeFileSync(file, readFileSync(sample('train.jsonl'), 'utf8').split('\n').slice(0, 4).join('\n'))
  const settings = { keepBest: false, steps: 4, validationEvery: 4, learningRate: 1e-3 }
  const without = await run('without', { ...settings, validation: undefined })
  const apart = await run('apart', { ...settings, validation: file })
  assert.ok(weights('without').equals(weights('apart')))
  assert.equal(without.validation, undefined)
  assert.deepEqual([apart.validation!.file, apart.validation!.rows], [file, 4])
  assert.deepEqual([apart.validation!.best, apart.validation!.written], [null, 4])
  // The loss that training itself reports for the first step, where the whole file is one step and nothing is dropped.
  const one = {
    data: [file],
    validation: file,
    dropout: 0,
    steps: 1,
    learningRate: 1e-12,
    packing: 'pad',
    batchSize: 4,
    sequenceLength: 200,
  }
  const { lines } = await run('one', one)
  assert.ok(Math.abs(lines[0]!.loss! / lines[0]!.validationLoss! - 1) < 1e-5, JSON.stringify(lines[0]))
})

test('where groups leave, only a step after the last removal is the best, and what is written has its adapter', async () => {
  const pruning = { kind: 'prune', steps: 6, frequency: 2, validationEvery: 1, pruneCooldown: 0.4, ratio: 0.3 }
  const { lines, validation } = await run('pruned', pruning)
  assert.equal(lines.length, 6)
  // The first step of the cool-down; in the end it may find nothing more to remove.
  const lastRemoval = 4
  const least = lines
    .slice(lastRemoval - 1)
    .reduce((best, line) => (line.validationLoss! < best.validationLoss! ? line : best))
  assert.deepEqual(validation!.best, { step: least.step, loss: least.validationLoss })
  assert.ok(lines.some(({ validationLoss }) => validationLoss! < least.validationLoss!))
  // What is removed at once and not healed is measured too.
  const once = await run('once', { kind: 'prune', schedule: 'one-shot', healing: false, calibrationSamples: 2 })
  assert.equal(once.lines.length, 0)
  assert.ok(once.validation!.last! > 0)
  const zeros = {
    kind: 'prune',
    criterion: 'wanda-unstructured',
    schedule: 'one-shot',
    calibrationSamples: 2,
    steps: 4,
  }
  const whole = await run('zeros', zeros)
  let validating = 0
  await run('zeros-stopped', zeros, {
    stopAt: (event) =>
      event.type === 'progress' && event.stage === 'validating' && event.done === 1 && ++validating === 1,
  })
  assert.equal((await run('zeros-stopped', zeros, { resume: true })).text, whole.text)
})

test('what holds nothing out, or everything, is refused', async () => {
  await assert.rejects(run('all', { validation: 12 }), {
    field: 'validation',
    message: /12 of 12 rows would be held out/,
  })
  assert.equal(jobSchema.safeParse({ ...jobFor('x', {}), validation: 1.5 }).success, false)
  assert.equal(jobSchema.safeParse({ ...jobFor('x', {}), validation: 0 }).success, false)
})
