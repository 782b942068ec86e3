import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { before, describe, test } from 'node:test'
import { type EngineEvent, resultFileSchema, scoresFileSchema } from '../../engine/contract/index.ts'
import { readRunFolder } from '../../engine/runs/run-report.ts'
import { type EngineRun, runInProcess } from './run-process.ts'
import { sample, temporaryFolder } from './secateur.ts'

const folder = temporaryFolder()
const out = (name: string, ...more: string[]) => join(folder, name, ...more)

const evaluation = { tasks: { piqa: sample('tasks/piqa/valid.jsonl') }, limit: 8, perplexity: {}, maxWindows: 4 }
const job = (name: string, more: object = {}) => ({
  kind: 'prune',
  checkpoint: sample('model'),
  data: [sample('train.jsonl')],
  out: out(name),
  maxDocuments: 200,
  steps: 12,
  frequency: 2,
  saveEvery: 3,
  sequenceLength: 32,
  batchSize: 2,
  threads: 1,
  learningRate: 1e-3,
  sampleEvery: 5,
  samplePrompts: ['The baker'],
  sampleTokens: 6,
  evaluation,
  evaluateDense: true,
  ...more,
})
const command = (name: string, { resume = false, ...more }: { resume?: boolean } & Record<string, unknown> = {}) => ({
  type: 'run',
  job: job(name, more),
  resume,
})

const files = ['output/model.safetensors', 'metrics.jsonl', 'pruning.jsonl', 'samples.jsonl', 'scores.json']
const bytes = (name: string) => files.map((file) => readFileSync(out(name, file)))
const outcome = (name: string) =>
  resultFileSchema.parse(JSON.parse(readFileSync(out(name, 'result.json'), 'utf8'))).outcome

const reportOf = (name: string) =>
  readRunFolder({ path: out(name) }, { signal: new AbortController().signal, progress: () => {} })

const resultOf = ({ code, events, errors }: EngineRun) => {
  assert.equal(code, 0, JSON.stringify(events.at(-1)) + errors)
  const last = events.at(-1)!
  assert.ok(last.type === 'result')
  return last
}
const failureOf = ({ events, errors }: EngineRun) => {
  const last = events.at(-1)
  assert.ok(last?.type === 'error', JSON.stringify(last) + errors)
  return last
}
const isStep = (event: EngineEvent, step: number) => event.type === 'step' && event.metrics.step === step

/** Ends a run as `end` does once it has come to an event, and says how long the end then took. */
async function endAt(
  name: string,
  at: (event: EngineEvent) => boolean,
  end: (child: ChildProcess) => void,
  more: object = {},
) {
  let ended = 0
  const ran = await runInProcess(command(name, { ...more }), (event, child) => {
    if (ended > 0 || !at(event)) return
    ended = performance.now()
    end(child)
  })
  assert.ok(ended > 0, 'the run never came that far')
  return { ran, seconds: (performance.now() - ended) / 1000 }
}

describe('the run process', () => {
  let whole: EngineRun
  before(async () => {
    whole = await runInProcess(command('whole'))
  })

  test('tells everything that the live page shows', () => {
    const result = resultOf(whole)
    const { events } = whole
    const seen = (type: EngineEvent['type']) => events.filter((event) => event.type === type).length
    assert.deepEqual([seen('step'), seen('pruned'), seen('sample'), seen('saved')], [12, 6, 4, 4])
    for (const event of events) {
      if (event.type === 'step') assert.ok(event.memoryBytes > 1e7 && event.tokensPerSecond > 0)
      if (event.type === 'sample') assert.ok(event.sample.text.length > 0)
    }
    const scoring = events.flatMap((event) => (event.type === 'progress' && event.item === 'piqa' ? [event] : []))
    assert.deepEqual([...new Set(scoring.map(({ stage }) => stage))], ['scoring dense', 'scoring'])
    assert.ok(scoring.every(({ total, parts }) => total === 8 && parts!.total === 1))
    assert.equal(result.dense!.tasks.piqa!.n, 8)
    assert.equal(result.tasks!.piqa!.n, 8)
    // What changed from the dense model, in answers and token by token.
    const { tasks, texts } = result.besideDense!
    const { rightToWrong, wrongToRight, difference, n } = tasks.piqa!
    assert.deepEqual([n, (wrongToRight - rightToWrong) / 8], [8, difference])
    assert.ok(Math.abs(result.tasks!.piqa!.acc - result.dense!.tasks.piqa!.acc - difference) < 1e-12)
    assert.deepEqual(Object.keys(texts), [])
  })

  test('leaves a folder that tells it again', async () => {
    const scores = scoresFileSchema.parse(JSON.parse(readFileSync(out('whole', 'scores.json'), 'utf8')))
    const result = resultOf(whole)
    assert.deepEqual(scores.dense, result.dense)
    assert.deepEqual(scores.result!.tasks, result.tasks)
    assert.deepEqual(outcome('whole'), result)
    const report = await reportOf('whole')
    assert.deepEqual(
      [report.state, report.lastStep, report.lastSavedStep, report.error, report.result, report.scores],
      ['done', 12, 12, null, result, scores],
    )
    assert.deepEqual(report.counts, { metrics: 12, snapshots: 6, samples: 4 })
    assert.ok(report.bytes > 1e6 && report.job.kind === 'prune' && report.job.steps === 12)
    assert.deepEqual(
      readdirSync(out('whole')).filter((name) => /lock|partial/.test(name)),
      [],
    )
  })

  test('trains the same with samples and without', async () => {
    resultOf(await runInProcess(command('quiet', { sampleEvery: 0, evaluateDense: false, evaluation: undefined })))
    for (const file of files.slice(0, 2))
      assert.ok(readFileSync(out('quiet', file)).equals(readFileSync(out('whole', file))), file)
  })

  test('stops after its step where it is told to, and goes on to the same bytes', async () => {
    const { ran } = await endAt(
      'stopped',
      (event) => isStep(event, 4),
      (child) => void child.send({ type: 'stop' }),
    )
    assert.equal(ran.code, 130, ran.errors)
    assert.equal(failureOf(ran).kind, 'interrupted')
    const left = outcome('stopped')
    assert.ok(left.type === 'error' && left.kind === 'interrupted')
    const report = await reportOf('stopped')
    assert.deepEqual([report.state, report.error?.kind, report.result], ['interrupted', 'interrupted', null])
    assert.ok(report.lastSavedStep === report.lastStep && report.lastStep >= 4)
    const resumed = await runInProcess(command('stopped', { resume: true }))
    resultOf(resumed)
    // What was scored before the stop is not scored again.
    assert.ok(!resumed.events.some((event) => event.type === 'progress' && event.stage === 'scoring dense'))
    assert.deepEqual(bytes('stopped'), bytes('whole'))
  })

  test('saves and ends where its parent goes away', async () => {
    const { ran } = await endAt(
      'orphan',
      (event) => isStep(event, 4),
      (child) => child.disconnect(),
    )
    assert.equal(ran.code, 130, ran.errors)
    const left = outcome('orphan')
    assert.match(left.type === 'error' ? left.message : '', /stopped after step \d+ of 12/)
  })

  test('goes on after kill -9 at five moments to the same bytes', async () => {
    const moments: string[] = []
    while (moments.length < 5) {
      const resume = existsSync(out('killed', 'run.json'))
      const wait = Math.random() * 1000
      let killed = false
      const ran = await runInProcess(command('killed', { resume }), (event, child) => {
        if (killed || event.type !== 'started') return
        killed = true
        void setTimeout(wait).then(() => child.kill('SIGKILL'))
      })
      if (ran.signal === 'SIGKILL') moments.push(`${Math.round(wait)} ms`)
      else {
        // It was over before its moment came: it is looked at, and another one is killed.
        assert.deepEqual(bytes('killed'), bytes('whole'), `killed after ${moments.join(', ')}`)
        rmSync(out('killed'), { recursive: true })
      }
    }
    // What the last of them left is no obstacle: its lock, and what it had begun to write.
    assert.ok(existsSync(out('killed', 'lock.json')))
    writeFileSync(out('killed', '.output.partial-abc123'), 'half')
    resultOf(await runInProcess(command('killed', { resume: true })))
    assert.deepEqual(bytes('killed'), bytes('whole'), `killed after ${moments.join(', ')}`)
    assert.ok(!existsSync(out('killed', '.output.partial-abc123')))
    assert.ok(!existsSync(out('killed', 'lock.json')))
  })

  for (const [name, at] of [
    ['scoring', (event) => event.type === 'progress' && event.stage === 'scoring dense' && event.done > 0],
    ['reading weights', (event) => event.type === 'progress' && event.stage === 'reading weights'],
  ] as [string, (event: EngineEvent) => boolean][])
    test(`is stopped promptly while ${name}`, async () => {
      const { ran, seconds } = await endAt(`promptly ${name}`, at, (child) => void child.send({ type: 'stop' }), {
        evaluation: { ...evaluation, limit: undefined },
      })
      assert.equal(ran.code, 130, ran.errors)
      assert.ok(seconds < 2, `it took ${seconds} s`)
    })

  test('lets no second process write a run', async () => {
    let second: Promise<EngineRun> | undefined
    const first = await runInProcess(command('shared', { steps: 60 }), (event, child) => {
      if (event.type !== 'started' || second) return
      second = runInProcess(command('shared', { steps: 60, resume: true }))
      void second
        .then(async () => assert.equal((await reportOf('shared')).state, 'running'))
        .finally(() => child.send({ type: 'stop' }))
    })
    assert.equal(first.code, 130)
    assert.equal((await reportOf('shared')).state, 'interrupted')
    const refused = await second!
    assert.equal(refused.code, 2)
    assert.match(failureOf(refused).message, /process \d+ is writing the run/)
  })

  test('says what is wrong with what it is sent', async () => {
    const wrong = await runInProcess({ type: 'run', job: job('never', { ratio: 3 }) })
    assert.equal(wrong.code, 2)
    assert.equal(failureOf(wrong).field, 'job.ratio')
    const missing = await runInProcess(command('fruitless', { data: [out('no data')], evaluateDense: false }))
    assert.equal(missing.code, 3)
    const { state, error } = await reportOf('fruitless')
    assert.deepEqual([state, error?.kind, error?.file], ['never-started', 'bad-file', out('no data')])
    const unknown = await runInProcess({ type: 'dance' })
    assert.equal(unknown.code, 2)
  })
})
