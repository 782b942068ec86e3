import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { pruningSnapshotSchema, sampleSchema, stepMetricsSchema } from '../../engine/contract/index.ts'
import { eventsOf, type Ran, sample, secateur, temporaryFolder } from './secateur.ts'

const folder = temporaryFolder()
const prune = (out: string, ...more: string[]) =>
  ['prune', sample('model'), '--data', sample('train.jsonl'), '--ratio', '0.5', '--steps', '12', '--seed', '1'].concat(
    ['--frequency', '3', '--save-every', '3', '--dropout', '0.1', '--learning-rate', '1e-3', '--threads', '1'],
    [
      '--sequence-length',
      '32',
      '--batch-size',
      '2',
      '--sample-every',
      '4',
      '--sample-prompts',
      'The smith, who',
      '--sample-tokens',
      '8',
    ],
    ['--out', join(folder, out), '--json', ...more],
  )
const weights = (out: string) => readFileSync(join(folder, out, 'output/model.safetensors'))
const metrics = (out: string) => readFileSync(join(folder, out, 'metrics.jsonl'), 'utf8')
/** Everything that a run tells step by step. */
const journals = (out: string) =>
  ['metrics.jsonl', 'pruning.jsonl', 'samples.jsonl'].map((name) => readFileSync(join(folder, out, name), 'utf8'))
const linesIn = (out: string, name: string) =>
  readFileSync(join(folder, out, name), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line))

/** Sends a signal a random while after a random step is reported; says after which. */
async function endSomewhere(out: string, signal: NodeJS.Signals, ...more: string[]): Promise<{ ran: Ran; at: number }> {
  const at = 1 + Math.floor(Math.random() * 7)
  const wait = Math.random() * 60
  let sent = false
  const ran = await secateur(prune(out, ...more), (line, kill) => {
    if (sent || !line.startsWith('{"type":"step"')) return
    if (Number(/"step":(\d+)/.exec(line)?.[1]) < at) return
    sent = true
    setTimeout(() => kill(signal), wait)
  })
  return { ran, at }
}

const resultOf = (ran: Ran) => {
  assert.equal(ran.code, 0, ran.stdout.slice(-500) + ran.stderr)
  const last = eventsOf(ran).at(-1)!
  assert.ok(last.type === 'result')
  return last
}

const lastError = (ran: Ran) => {
  const last = eventsOf(ran).at(-1)!
  assert.ok(last.type === 'error', JSON.stringify(last))
  return last
}

describe('a run that is stopped', () => {
  before(async () => {
    resultOf(await secateur(prune('whole')))
    const steps = metrics('whole')
      .trimEnd()
      .split('\n')
      .map((line) => stepMetricsSchema.parse(JSON.parse(line)))
    assert.equal(steps.length, 12)
    assert.equal(steps.at(-1)!.sparsity!.channels, 0.5)
    const samples = linesIn('whole', 'samples.jsonl').map((line) => sampleSchema.parse(line))
    assert.deepEqual(
      samples.map(({ step }) => step),
      [0, 4, 8, 12],
    )
    assert.ok(samples.every(({ prompt, text }) => prompt === 'The smith, who' && text.length > 0))
    const snapshots = linesIn('whole', 'pruning.jsonl').map((line) => pruningSnapshotSchema.parse(line))
    assert.deepEqual(
      snapshots.map(({ step }) => step),
      [3, 6, 9, 11],
    )
  })

  test('goes on after kill -9, twice, to the same bytes', async () => {
    const first = await endSomewhere('killed', 'SIGKILL')
    assert.equal(first.ran.signal, 'SIGKILL')
    // The second time it may be killed before it has loaded what the first left, or be over already.
    const second = await endSomewhere('killed', 'SIGKILL', '--resume')
    const told = `killed after steps ${first.at} and ${second.at}`
    const last = await secateur(prune('killed', '--resume'))
    assert.equal(
      resultOf(last).parameters!.after,
      resultOf(await secateur(prune('whole', '--resume'))).parameters!.after,
    )
    assert.ok(weights('killed').equals(weights('whole')), `other weights, ${told}`)
    assert.deepEqual(journals('killed'), journals('whole'), told)
  })

  test('saves its state on Ctrl-C, says how to go on, and goes on to the same bytes', async () => {
    const { ran } = await endSomewhere('stopped', 'SIGINT')
    assert.equal(ran.code, 130, ran.stderr)
    const { kind, message } = lastError(ran)
    assert.equal(kind, 'interrupted')
    assert.match(message, /--resume/)
    assert.ok(message.includes(join(folder, 'stopped')))
    assert.ok(existsSync(join(folder, 'stopped/state/state.safetensors')))
    assert.ok(!existsSync(join(folder, 'stopped/output')))
    const stoppedAfter = Number(/after step (\d+) of 12/.exec(message)?.[1])
    assert.equal(metrics('stopped').trimEnd().split('\n').length, stoppedAfter)
    const resumed = await secateur(prune('stopped', '--resume'))
    const steps = eventsOf(resumed).flatMap((event) => (event.type === 'step' ? [event.metrics.step] : []))
    assert.equal(steps[0], stoppedAfter + 1)
    resultOf(resumed)
    assert.ok(weights('stopped').equals(weights('whole')))
    assert.deepEqual(journals('stopped'), journals('whole'))
  })

  test('is not continued with another setting', async () => {
    const earlier = metrics('whole')
    const ran = await secateur(prune('whole', '--resume', '--lambda', '0.5'))
    assert.equal(ran.code, 2)
    const { kind, field, message } = lastError(ran)
    assert.equal(kind, 'bad-setting')
    assert.equal(field, '--lambda')
    assert.match(message, /0\.9.*0\.5/)
    assert.equal(metrics('whole'), earlier)
  })

  test('is not overwritten by a new one', async () => {
    const earlier = weights('whole')
    const ran = await secateur(prune('whole'))
    assert.equal(ran.code, 2)
    assert.match(lastError(ran).message, /holds something already.*--resume/)
    assert.ok(weights('whole').equals(earlier))
  })

  test('is not there to be continued in an empty folder', async () => {
    const ran = await secateur(prune('nothing', '--resume'))
    assert.equal(ran.code, 3)
    assert.equal(lastError(ran).file, join(folder, 'nothing'))
    assert.ok(!existsSync(join(folder, 'nothing')))
  })
})
