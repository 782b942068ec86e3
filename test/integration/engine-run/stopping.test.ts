import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type EngineEvent, type Job, jobSchema, scoresFileSchema } from '../../../engine/contract/index.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { sample } from '../../e2e/secateur.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-stop-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const out = (...parts: string[]) => join(folder, ...parts)
const machine = { device: 'onnx', threads: 1 }

/** Runs a job, stopping it at the first event that `at` names; the events, and whether it was stopped. */
async function run(
  given: object,
  { at, resume = false }: { at?: (event: EngineEvent) => boolean; resume?: boolean } = {},
) {
  const job: Job = jobSchema.parse(given)
  const controller = new AbortController()
  const events: EngineEvent[] = []
  const emit = (event: EngineEvent) => {
    events.push(event)
    if (at?.(event)) controller.abort(new SecateurError('interrupted', 'stopped'))
  }
  try {
    const result = await runJob(job, { emit, signal: controller.signal, resume })
    return { events, result, stopped: false }
  } catch (error) {
    if (!(error instanceof SecateurError) || error.kind !== 'interrupted') throw error
    return { events, result: null, stopped: true }
  }
}

const isPruning = (event: EngineEvent) => event.type === 'pruned'
const isStage = (stage: string) => (event: EngineEvent) => event.type === 'progress' && event.stage === stage

/** What was scored. */
const items = (events: readonly EngineEvent[]) => [
  ...new Set(events.flatMap((event) => (event.type === 'progress' && event.item ? [event.item] : []))),
]

test('an evaluation that is stopped goes on with what it has not scored', async () => {
  const evaluation = {
    tasks: { piqa: sample('tasks/piqa/valid.jsonl'), boolq: sample('tasks/boolq/dev.jsonl') },
    perplexity: { heldout: sample('heldout.txt') },
    limit: 10,
    maxWindows: 3,
    batchTokens: 64,
  }
  const job = { kind: 'evaluate', checkpoint: sample('model'), out: out('scores'), ...machine, evaluation }
  const first = await run(job, { at: (event) => event.type === 'progress' && event.item === 'boolq' })
  assert.equal(first.stopped, true)
  const scored = () => scoresFileSchema.parse(JSON.parse(readFileSync(out('scores/scores.json'), 'utf8'))).result!
  const { piqa } = scored().tasks
  assert.deepEqual([piqa!.n, scored().tasks.boolq], [10, undefined])
  const second = await run(job, { resume: true })
  assert.deepEqual(items(second.events), ['boolq', 'heldout'])
  assert.deepEqual(second.result!.tasks!.piqa, piqa)
  assert.deepEqual(scored().perplexity, second.result!.perplexity)
  // Done again from the start where nobody asks to go on.
  assert.deepEqual(items((await run(job)).events), ['piqa', 'boolq', 'heldout'])
})

test('a run that is stopped while it writes leaves no half of a checkpoint, and writes it when it goes on', async () => {
  const small = {
    data: [sample('heldout.txt')],
    steps: 2,
    sequenceLength: 16,
    batchSize: 1,
    frequency: 1,
    saveEvery: 1,
  }
  const job = { kind: 'prune', checkpoint: sample('model'), out: out('pruned'), ...machine, ...small }
  assert.equal((await run(job, { at: isStage('writing') })).stopped, true)
  assert.deepEqual(
    readdirSync(out('pruned')).filter((name) => /output|partial|lock/.test(name)),
    [],
  )
  const { events, result } = await run(job, { resume: true })
  assert.ok(!events.some(({ type }) => type === 'step'))
  assert.ok(existsSync(join(result!.checkpoint!, 'model.safetensors')))
  // The last step, which an earlier attempt took, is the result's.
  const [last] = readFileSync(out('pruned/metrics.jsonl'), 'utf8').trimEnd().split('\n').slice(-1)
  const { step, loss } = JSON.parse(last!) as { step: number; loss: number }
  assert.deepEqual([step, result!.loss], [2, loss])
})

test('a merge that is stopped leaves nothing', async () => {
  const small = { data: [sample('heldout.txt')], steps: 1, sequenceLength: 16, batchSize: 1 }
  const checkpoint = sample('model')
  const { result } = await run({ kind: 'finetune', checkpoint, out: out('tuned'), ...machine, ...small })
  const job = { kind: 'merge', checkpoint, adapter: result!.adapter, out: out('merged') }
  assert.equal((await run(job, { at: isStage('writing') })).stopped, true)
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('merged')),
    [],
  )
  assert.equal((await run(job)).result!.checkpoint, out('merged'))
})

test('a run that is stopped while it reads its data can be started again', async () => {
  const data = Array.from({ length: 40 }, () => sample('train.jsonl'))
  const job = {
    kind: 'finetune',
    checkpoint: sample('model'),
    out: out('read'),
    ...machine,
    data,
    steps: 1,
    batchSize: 1,
  }
  assert.equal((await run(job, { at: isStage('reading data') })).stopped, true)
  assert.equal((await run({ ...job, data: data.slice(0, 1), sequenceLength: 16 })).stopped, false)
})

test('a run that is stopped between its one pruning and its first step is told as if it had not been', async () => {
  const small = { data: [sample('heldout.txt')], steps: 2, sequenceLength: 16, batchSize: 1 }
  const samples = { sampleEvery: 2, samplePrompts: ['The baker'], sampleTokens: 8 }
  const once = { schedule: 'one-shot', criterion: 'magnitude', calibrationSamples: 2 }
  const job = { kind: 'prune', checkpoint: sample('model'), ...once, ...machine, ...small, ...samples }
  await run({ ...job, out: out('once') })
  assert.equal((await run({ ...job, out: out('twice') }, { at: isPruning })).stopped, true)
  await run({ ...job, out: out('twice') }, { resume: true })
  const files = ['pruning.jsonl', 'samples.jsonl', 'metrics.jsonl', 'output/model.safetensors']
  for (const name of files) assert.ok(readFileSync(out('twice', name)).equals(readFileSync(out('once', name))), name)
  // The first sample is of the model before anything left it.
  const whole = { ...small, ...samples, kind: 'finetune', checkpoint: sample('model'), out: out('whole'), ...machine }
  await run(whole)
  const first = (name: string) => readFileSync(out(name, 'samples.jsonl'), 'utf8').split('\n')[0]
  assert.equal(first('once'), first('whole'))
})
