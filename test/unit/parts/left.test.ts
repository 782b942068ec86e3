import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { evaluateSchema } from '../../../engine/contract/index.ts'
import { estimateAnyJob } from '../../../engine/estimate/any-job.ts'
import { checkData } from '../../../engine/estimate/check-data.ts'
import { leftToScore } from '../../../engine/parts/left.ts'
import { splitEvaluation } from '../../../engine/parts/split.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-left-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const sample = join(import.meta.dirname, '../../../resources/sample')
const control = { signal: new AbortController().signal, progress: () => {} }

const job = evaluateSchema.parse({
  kind: 'evaluate',
  checkpoint: join(sample, 'model'),
  out: folder,
  parallel: 2,
  device: 'onnx',
  evaluation: {
    perplexity: { gone: join(folder, 'gone.txt'), held: join(sample, 'heldout.txt') },
    latency: true,
  },
})

const text = { value: 2, tokens: 5, scored: 4, windows: 1, window: 128, protocol: 'test' }
const latency = { promptTokensPerSecond: 2, generatedTokensPerSecond: 1 }

/** Writes what a part came to, as if it were over. */
const finish = (number: number) => {
  const { job: part } = splitEvaluation(job, folder)[number]!
  const outcome = {
    type: 'result',
    parameters: { before: 3, after: 3 },
    tasks: {},
    perplexity: { gone: text, held: text },
    latency,
    seconds: 1,
  }
  mkdirSync(part.out, { recursive: true })
  writeFileSync(join(part.out, 'result.json'), JSON.stringify({ finished: '2026-11-28T12:00:00.000Z', outcome }))
}

test('what finished parts have scored is neither read nor counted again where the evaluation goes on', async () => {
  finish(0)
  const { parts, finished, job: left } = leftToScore(job)
  assert.deepEqual([parts, finished], [3, 1])
  assert.deepEqual(Object.keys(left.evaluation.perplexity), ['held'])
  assert.equal(left.evaluation.latency, true)

  const problems = async (resume: boolean) =>
    (await checkData({ job, resume }, control)).problems.map((each) => each.message)
  assert.match((await problems(false)).join(), /gone\.txt/)
  assert.deepEqual(await problems(true), [])

  const some = await estimateAnyJob({ job, resume: true }, control)
  assert.match(some.secondsFrom, /^For the 2 of 3 parts that are left; 1 is finished\. /)
  for (const number of [1, 2]) finish(number)
  const none = await estimateAnyJob({ job, resume: true }, control)
  assert.equal(none.secondsFrom, 'All 3 parts are finished: their scores are only joined.')
  assert.equal(none.seconds, 0)
})
