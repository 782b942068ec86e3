import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openCheckpoint } from '../../engine/models/checkpoint.ts'
import { type EvaluationSettings, jobSchema } from '../../engine/contract/index.ts'
import { macroAverage } from '../../engine/evaluation/statistics.ts'
import { runJob } from '../../engine/jobs/index.ts'

const sample = join(import.meta.dirname, '../../resources/sample')
const model = join(sample, 'model')
const task = (file: string) => join(sample, 'tasks', file)
const tasks = {
  boolq: task('boolq/dev.jsonl'),
  piqa: task('piqa/valid.jsonl'),
  hellaswag: task('hellaswag/hellaswag_val.jsonl'),
  winogrande: task('winogrande/dev.jsonl'),
  arc_easy: task('arc/ARC-Easy-Test.jsonl'),
  arc_challenge: task('arc/ARC-Challenge-Test.jsonl'),
  openbookqa: task('openbookqa/test.jsonl'),
}
const chance = {
  boolq: 0.5,
  piqa: 0.5,
  hellaswag: 0.25,
  winogrande: 0.5,
  arc_easy: 0.25,
  arc_challenge: 0.25,
  openbookqa: 0.25,
}
/** The name says that paragraphs stand apart as those of WikiText do: the sample has never seen any other layout. */
const perplexity = { wikitext2: join(sample, 'heldout.txt') }
const evaluation: Partial<EvaluationSettings> = { tasks, limit: 80, perplexity }
const folder = mkdtempSync(join(tmpdir(), 'secateur-sample-'))
after(() => rmSync(folder, { recursive: true }))

const run = (job: object) =>
  runJob(jobSchema.parse(job), { emit: () => {}, signal: new AbortController().signal, resume: false })
const scoresOf = (checkpoint: string) => run({ kind: 'evaluate', checkpoint, threads: 1, evaluation })

test('the sample is a Llama with grouped queries of 1 to 3 million parameters in under 7 MB', () => {
  using checkpoint = openCheckpoint(model)
  assert(checkpoint.parameters > 1e6 && checkpoint.parameters < 3e6)
  assert(checkpoint.bytes < 7e6)
  assert(checkpoint.config.layers.every(({ heads, keyValueHeads }) => keyValueHeads < heads))
})

test('the dense sample is far above chance; removing half without healing hurts, and healing helps', async (context) => {
  const dense = await scoresOf(model)
  const mean = macroAverage(dense.tasks!, 'acc')
  context.diagnostic(`dense: mean accuracy ${mean.toFixed(3)}`)
  assert(
    mean - macroAverage(Object.fromEntries(Object.entries(chance).map(([name, acc]) => [name, { acc }])), 'acc') > 0.2,
  )

  const pruned = async (name: string, settings: object) => {
    const job = { kind: 'prune', checkpoint: model, data: [join(sample, 'train.jsonl')], out: join(folder, name) }
    const base = { ...job, threads: 1, ratio: 0.5, batchSize: 4, sequenceLength: 128, dropout: 0, rank: 16, alpha: 32 }
    const result = await run({ ...base, ...settings, evaluation })
    assert(result.parameters!.after < 0.6 * result.parameters!.before)
    return result
  }
  const hurt = await pruned('hurt', { steps: 2, learningRate: 1e-6, pruneWarmup: 0, pruneCooldown: 0.5 })
  const healed = await pruned('healed', { steps: 60, learningRate: 4e-3 })
  const [before, cut, then] = [dense, hurt, healed].map((result) => result.perplexity!['wikitext2']!.value)
  context.diagnostic(`perplexity: dense ${before}, cut ${cut}, healed ${then}`)
  assert(cut! > 1.3 * before!)
  assert(then! < cut! / 1.3)
  assert(macroAverage(healed.tasks!, 'acc') > macroAverage(hurt.tasks!, 'acc'))
})
