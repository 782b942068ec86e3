import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { jobSchema, type ResultEvent } from '../../../engine/contract/index.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { data, needsData } from '../evaluation/shared.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'secateur-run-'))
})
after(() => rm(folder, { recursive: true }))

const run = (job: object): Promise<ResultEvent> =>
  runJob(jobSchema.parse(job), { emit: () => {}, signal: new AbortController().signal, resume: false })

test('an adapter learns its text, and scores the same applied or merged', needsData, async () => {
  const text = join(folder, 'text.txt')
  writeFileSync(text, 'The small red boat sails over the quiet lake to a green island.\n'.repeat(40))
  const checkpoint = data('stories260K')
  const machine = { device: 'onnx', threads: 1 }
  const training = { data: [text], batchSize: 2, sequenceLength: 64, steps: 15, learningRate: 1e-2 }
  const tuned = await run({ kind: 'finetune', checkpoint, out: join(folder, 'run'), ...machine, ...training })
  const adapter = tuned.adapter!
  const merged = await run({ kind: 'merge', checkpoint, adapter, out: join(folder, 'merged') })
  const evaluation = { perplexity: { boat: text }, window: 64 }
  const scoreOf = async (model: object) => {
    const { perplexity } = await run({ kind: 'evaluate', ...machine, evaluation, ...model })
    return perplexity!.boat!.value
  }
  const untuned = await scoreOf({ checkpoint })
  const applied = await scoreOf({ checkpoint, adapter })
  const whole = await scoreOf({ checkpoint: merged.checkpoint })
  assert.ok(applied < untuned / 2, `perplexity only fell from ${untuned} to ${applied}`)
  assert.ok(Math.abs(whole / applied - 1) < 1e-4, `${whole} merged is not ${applied} applied`)
})
