import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type EngineEvent, jobSchema, resultEventSchema } from '../../../engine/contract/index.ts'
import { describe } from '../../../engine/entries/command-line/result-text.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { findLlamaCpp } from '../../../engine/llama-cpp/installed.ts'
import { sample } from '../../e2e/secateur.ts'

// Speed and examples of finished checkpoints, on what the settings name.

const folder = mkdtempSync(join(tmpdir(), 'secateur-finished-'))
process.env['XDG_CACHE_HOME'] = join(folder, 'cache')
after(() => rmSync(folder, { recursive: true, force: true }))

const evaluation = { prompts: ['The weather today', 'The baker'], maxNewTokens: 16, latency: true }
const short = { threads: 1, steps: 1, sequenceLength: 16, batchSize: 1 }
const withLlamaCpp = { skip: 'missing' in findLlamaCpp() && 'there is no llama.cpp for this platform' }

async function run(job: object, { resume = false } = {}) {
  const logged: string[] = []
  const emit = (event: EngineEvent) => {
    if (event.type === 'log') logged.push(event.message)
  }
  const parsed = jobSchema.parse(job)
  const result = await runJob(parsed, { emit, signal: new AbortController().signal, resume })
  return { ...resultEventSchema.parse(result), logged }
}
const evaluate = (settings: object, more: object = {}) =>
  run({
    kind: 'evaluate',
    checkpoint: sample('model'),
    evaluation: { ...evaluation, ...settings },
    threads: 1,
    ...more,
  })

test('examples of llama.cpp in F16 are those of Secateur, and both say what wrote them', withLlamaCpp, async () => {
  const own = await evaluate({})
  const other = await evaluate({ runner: 'llama.cpp', latencyLengths: [4, 100_000] })
  assert.deepEqual(other.examples, own.examples)
  assert.deepEqual([own.examplesRan!.runner, own.examplesRan!.why], ['secateur', null])
  assert.deepEqual([other.examplesRan!.runner, other.examplesRan!.type], ['llama.cpp', 'f16'])
  assert.ok(other.examplesRan!.proof!.mean < 0.01)
  assert.deepEqual(other.latency!.ran, other.examplesRan)
  // The model reads 512 tokens, of which 32 are generated: 480 are measured, and 480 are said.
  assert.deepEqual(
    other.latency!.byLength!.map(({ prompt }) => prompt),
    [4, 480],
  )
  assert.ok(other.latency!.byLength!.every((at) => at.promptTokensPerSecond > 0 && at.generatedTokensPerSecond > 0))
  assert.match(describe(other), /generation [\d,]+ tokens\/s, on llama\.cpp [^(]+ \(f16\)\n[^]*examples, on llama\.cpp/)
  assert.match(describe(own), /tokens\/s, on Secateur \(\w+\) \(bfloat16\)/)
})

test('another type is taken, beside scores of Secateur', withLlamaCpp, async () => {
  const scored = { perplexity: { heldout: sample('heldout.txt') }, maxWindows: 4 }
  const own = await evaluate({ ...scored, prompts: [], latency: false })
  const other = await evaluate({ ...scored, runner: 'auto', runnerType: 'q4_k_m' })
  assert.equal(other.latency!.ran!.type, 'q4_k_m')
  assert.deepEqual(other.perplexity, own.perplexity)
})

test('Secateur answers where llama.cpp cannot, and says why; insisted on, it is refused before anything is computed', async () => {
  const { examplesRan, logged } = await evaluate({ runner: 'auto' }, { device: 'onnx' })
  assert.equal(examplesRan!.runner, 'secateur')
  if (!withLlamaCpp.skip) assert.match(examplesRan!.why!, /device onnx is asked for/)
  assert.ok(logged.some((message) => /^Runs on Secateur \(onnx\).*Not llama\.cpp: /.test(message)))
  const adapter = join(folder, 'adapter')
  await run({ kind: 'finetune', checkpoint: sample('model'), data: [sample('heldout.txt')], out: adapter, ...short })
  const insisted = evaluate({ runner: 'llama.cpp' }, { adapter: join(adapter, 'output') })
  await assert.rejects(insisted, withLlamaCpp.skip ? /llama\.cpp/ : /an adapter is applied as it runs: merge it/)
})

test('an adapter is applied to what is written as it is to what is scored', async () => {
  const out = join(folder, 'trained')
  const data = [sample('heldout.txt')]
  await run({ kind: 'finetune', checkpoint: sample('model'), data, out, ...short, steps: 8, learningRate: 0.01 })
  const adapter = join(out, 'output')
  const merged = join(folder, 'merged')
  await run({ kind: 'merge', adapter, checkpoint: sample('model'), out: merged, outputDtype: 'float32' })
  const applied = await evaluate({ latency: false }, { adapter })
  assert.deepEqual(applied.examples, (await evaluate({ latency: false }, { checkpoint: merged })).examples)
  assert.notDeepEqual(applied.examples, (await evaluate({ latency: false })).examples)
})

test('a pruning run measures both checkpoints there, and goes on with another runner', withLlamaCpp, async () => {
  const out = join(folder, 'pruned')
  const job = {
    kind: 'prune',
    checkpoint: sample('model'),
    data: [sample('heldout.txt')],
    out,
    evaluateDense: true,
    ratio: 0.3,
    ...short,
    steps: 4,
    frequency: 1,
  }
  const result = await run({ ...job, evaluation: { ...evaluation, runner: 'llama.cpp' } })
  assert.equal(result.latency!.ran!.runner, 'llama.cpp')
  assert.equal(result.dense!.examplesRan!.runner, 'llama.cpp')
  const again = { ...job, evaluation: { ...evaluation, runner: 'auto', runnerType: 'q8_0' } }
  // What was measured stays.
  assert.deepEqual((await run(again, { resume: true })).latency, result.latency)
})
