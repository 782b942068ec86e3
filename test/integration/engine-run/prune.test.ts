import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import {
  type EngineEvent,
  jobSchema,
  planSchema,
  type ResultEvent,
  type StepMetrics,
} from '../../../engine/contract/index.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { planBudgets } from '../../../engine/runs/plan.ts'
import { data, needsData } from '../../unit/evaluation/shared.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'secateur-run-'))
})
after(() => rm(folder, { recursive: true }))

const jobFor = (name: string, more: object = {}) =>
  jobSchema.parse({
    kind: 'prune',
    checkpoint: data('stories260K'),
    out: join(folder, name),
    data: [data('text/c4_demo.jsonl')],
    maxDocuments: 20,
    device: 'onnx',
    threads: 1,
    batchSize: 2,
    sequenceLength: 64,
    steps: 12,
    frequency: 2,
    saveEvery: 5,
    learningRate: 1e-3,
    ...more,
  })

/** Runs a prune job; stops it once a step is over, where one is named. */
async function run(name: string, { resume = false, stopAfter = 0, settings = {} } = {}) {
  const stop = new AbortController()
  const events: EngineEvent[] = []
  const emit = (event: EngineEvent) => {
    events.push(event)
    if (event.type === 'step' && event.metrics.step === stopAfter) stop.abort()
  }
  let result: ResultEvent | null = null
  let error: unknown = null
  try {
    result = await runJob(jobFor(name, settings), { emit, signal: stop.signal, resume })
  } catch (caught) {
    error = caught
  }
  const steps = events.flatMap((event): StepMetrics[] => (event.type === 'step' ? [event.metrics] : []))
  return { result, error, events, steps, weights: () => readFileSync(join(folder, name, 'output/model.safetensors')) }
}

test('a run prunes to its schedule and leaves the parameters that it foretold', needsData, async () => {
  const { result, error, events, steps, weights } = await run('whole')
  assert.equal(error, null)
  assert.deepEqual(
    steps.map(({ step }) => step),
    Array.from({ length: 12 }, (_, i) => i + 1),
  )
  const shares = steps.map(({ sparsity }) => sparsity!.channels)
  assert.ok(shares.every((share, i) => i === 0 || share >= shares[i - 1]!))
  // From the specification's cubic, with warm-up to 1.2 and cool-down from 10.8: 172 channels, rounded to the nearest number.
  for (const step of [2, 4, 6, 8, 10])
    assert.equal(shares[step - 1], Math.round(172 * (0.5 - 0.5 * (1 - (step - 1.2) / 9.6) ** 3)) / 172, `step ${step}`)
  assert.deepEqual([shares[0], shares[11], steps[11]!.sparsity!.heads], [0, 0.5, 0.5])
  const estimate = events.find((event) => event.type === 'estimate')!.estimate
  using pruned = openCheckpoint(result!.checkpoint!)
  assert.deepEqual(result!.parameters, estimate.parameters)
  assert.equal(pruned.parameters, estimate.parameters.after)
  assert.deepEqual(
    pruned.config.layers,
    pruned.config.layers.map(() => ({ heads: 4, keyValueHeads: 2, channels: 86 })),
  )
  // A model that other programs load: its config says no more than Llama's does.
  assert.equal(pruned.config.source.model_type, 'llama')

  const stopped = await run('stopped', { stopAfter: 7 })
  assert.match(String(stopped.error), /stopped after step 7 of 12; the state is saved/)
  const resumed = await run('stopped', { resume: true })
  assert.equal(resumed.error, null)
  assert.deepEqual([...stopped.steps, ...resumed.steps], steps)
  assert.ok(resumed.weights().equals(weights()), 'a run that was stopped and resumed writes the same bytes')
})

test(
  'a run spends a budget, step by step and after a stop, and another is planned from what it keeps',
  needsData,
  async () => {
    const settings = { budget: 'parameters=0.8', steps: 8, saveEvery: 3, protectFirst: 0, protectLast: 0 }
    const whole = await run('budget', { settings })
    assert.equal(whole.error, null)
    const { planned, before: dense, actual } = whole.result!.removal!.budget!
    assert.equal(planned, 0.8 * dense)
    assert.ok(actual <= planned && actual > planned - 3 * 64)
    assert.equal(whole.result!.parameters!.after, actual)
    const stopped = await run('budget-stopped', { settings, stopAfter: 5 })
    assert.match(String(stopped.error), /stopped after step 5/)
    const resumed = await run('budget-stopped', { settings, resume: true })
    assert.ok(resumed.weights().equals(whole.weights()))
    const state = (name: string) => readFileSync(join(folder, name, 'state/state.safetensors'))
    assert.ok(state('budget').equals(state('budget-stopped')), 'kept scores too')
    const request = planSchema.parse({ run: join(folder, 'budget'), budgets: [settings.budget, 'parameters=0.6'] })
    const { plans } = await planBudgets(request, { signal: new AbortController().signal, progress: () => {} })
    assert.ok(plans[0]!.parameters <= planned && plans[1]!.parameters < plans[0]!.parameters)
  },
)
