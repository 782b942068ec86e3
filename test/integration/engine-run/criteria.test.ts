import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import {
  criteria,
  criterionName,
  type EngineEvent,
  jobSchema,
  type ResultEvent,
} from '../../../engine/contract/index.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { sample } from '../../e2e/secateur.ts'
import { fixtureModel } from '../../fixtures/read.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'secateur-criteria-'))
})
after(() => rm(folder, { recursive: true }))

const jobFor = (name: string, more: object) =>
  jobSchema.parse({
    kind: 'prune',
    checkpoint: sample('model'),
    out: join(folder, name),
    data: [sample('train.jsonl')],
    maxDocuments: 30,
    device: 'onnx',
    threads: 1,
    batchSize: 2,
    sequenceLength: 16,
    steps: 4,
    frequency: 1,
    saveEvery: 2,
    learningRate: 1e-3,
    calibrationSamples: 4,
    ...more,
  })

async function run(name: string, { resume = false, stopAfter = 0, ...settings }: Record<string, unknown> = {}) {
  const stop = new AbortController()
  const events: EngineEvent[] = []
  let result: ResultEvent | null = null
  let error: unknown = null
  try {
    result = await runJob(jobFor(name, settings), {
      emit: (event) => {
        events.push(event)
        if (event.type === 'step' && event.metrics.step === stopAfter) stop.abort()
      },
      signal: stop.signal,
      resume: resume === true,
    })
  } catch (caught) {
    error = caught
  }
  return { result, error, events, weights: () => readFileSync(join(folder, name, 'output/model.safetensors')) }
}

for (const criterion of criterionName.options) {
  // Single weights leave all at once.
  const schedule = criteria[criterion].removes === 'weights' ? 'one-shot' : 'iterative'
  test(`${criterion}: prunes the sample to what was foretold, and goes on after a stop to the same bytes`, async () => {
    const whole = await run(`${criterion}-whole`, { criterion, schedule })
    assert.equal(whole.error, null)
    const estimate = whole.events.find((event) => event.type === 'estimate')!.estimate
    assert.deepEqual(whole.result!.parameters, estimate.parameters)
    using pruned = openCheckpoint(whole.result!.checkpoint!)
    assert.equal(pruned.parameters, estimate.parameters.after)
    const stopped = await run(`${criterion}-stopped`, { criterion, schedule, stopAfter: 3 })
    assert.match(String(stopped.error), /the state is saved/)
    const resumed = await run(`${criterion}-stopped`, { criterion, schedule, resume: true })
    assert.equal(resumed.error, null)
    assert.ok(resumed.weights().equals(whole.weights()))
  })

  test(`${criterion}: removes all at once without training`, async () => {
    const { result, error, events } = await run(`${criterion}-once`, {
      criterion,
      schedule: 'one-shot',
      healing: false,
    })
    assert.equal(error, null)
    assert.equal(events.filter(({ type }) => type === 'step').length, 0)
    assert.equal(
      events.filter(({ type }) => type === 'pruned').length,
      criteria[criterion].removes === 'weights' ? 0 : 1,
    )
    using pruned = openCheckpoint(result!.checkpoint!)
    assert.equal(pruned.parameters, result!.parameters!.after)
  })
}

test('what heals with the dense model as the teacher goes on after a stop to the same bytes, and learns something else', async () => {
  const taught = { distil: 0.7, distilTemperature: 2 }
  const [plain, whole] = [await run('untaught'), await run('taught', taught)]
  assert.equal(whole.error, null)
  assert.ok(!whole.weights().equals(plain.weights()))
  assert.match(String((await run('taught-stopped', { ...taught, stopAfter: 3 })).error), /the state is saved/)
  const resumed = await run('taught-stopped', { ...taught, resume: true })
  assert.ok(resumed.weights().equals(whole.weights()))
})

test('a dense model that is gone teaches nobody', async () => {
  const { error } = await run('no-teacher', { criterion: 'magnitude-unstructured', schedule: 'one-shot', distil: 1 })
  assert.match(String(error), /distil: .*no dense model is left/)
})

test('another checkpoint teaches in place of the dense model, where it has the same tokenizer', async () => {
  const own = await run('own-teacher', { distil: 1 })
  // A copy of the dense model teaches what the dense model does.
  const copy = await run('copied-teacher', { distil: 1, teacher: sample('model') })
  assert.equal(copy.error, null)
  assert.ok(copy.weights().equals(own.weights()))
  const smaller = await run('smaller-teacher', { distil: 1, teacher: own.result!.checkpoint! })
  assert.ok(!smaller.weights().equals(own.weights()))
  const [one, two] = [own, copy].map(({ events }) => events.find((event) => event.type === 'estimate')!.estimate)
  using checkpoint = openCheckpoint(sample('model'))
  assert.ok(Math.abs(two!.memoryBytes - one!.memoryBytes - checkpoint.bytes) < 1)
  const other = await run('other-teacher', { distil: 1, teacher: fixtureModel('llama_gqa') })
  assert.match(String(other.error), /teacher: .*llama_gqa has a vocabulary of .*, the checkpoint one of/)
  const nobody = await run('no-share', { teacher: sample('model') })
  assert.match(String(nobody.error), /teacher: is of a teacher, and the share of its part \(--distil\) is 0/)
})
