import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type SweepJob, sweepSchema, type TaskName } from '../engine/contract/index.ts'
import { sum } from '../engine/shared/sum.ts'
import { openCheckpoint } from '../engine/models/checkpoint.ts'
import { layerWeights } from '../engine/models/tensors.ts'

const root = join(import.meta.dirname, '..')

/** Where texts and task files lie in the folder that `--texts` names. */
const layout = {
  training: ['text/wiki_demo.txt', 'text/c4_demo.jsonl', 'instruct/alpaca_en_demo.json'],
  perplexity: { wikitext2: 'wikitext-2/wiki.test.raw', ptb: 'ptb/ptb.test.txt' },
  tasks: {
    boolq: 'boolq/dev.jsonl',
    piqa: 'piqa/valid.jsonl',
    hellaswag: 'hellaswag/hellaswag_val_1000.jsonl',
    winogrande: 'winogrande/dev.jsonl',
    arc_easy: 'arc/ARC-Easy-Test.jsonl',
    arc_challenge: 'arc/ARC-Challenge-Test.jsonl',
    openbookqa: 'openbookqa/test.jsonl',
  } satisfies Partial<Record<TaskName, string>>,
}

/** What flags of `npm run experiments:real` say. */
export const realFlags = (args: string[]) =>
  parseArgs({
    args,
    options: {
      checkpoint: { type: 'string' },
      texts: { type: 'string', default: join(root, '../shared/data') },
      out: { type: 'string', default: join(root, 'runs/experiments-real') },
      tokens: { type: 'string', default: '50000' },
      limit: { type: 'string', default: '100' },
      windows: { type: 'string', default: '64' },
      'long-windows': { type: 'string', default: '16' },
      seeds: { type: 'string', default: '1' },
      'first-seed': { type: 'string', default: '0' },
      rows: { type: 'string', multiple: true },
      rank: { type: 'string', default: '16' },
      lambda: { type: 'string', default: '0.9' },
      'learning-rate': { type: 'string', default: '1e-3' },
      /** Of so few tokens many small steps heal more than few large ones. */
      'batch-size': { type: 'string', default: '1' },
      'sequence-length': { type: 'string', default: '256' },
      frequency: { type: 'string', default: '8' },
      cooldown: { type: 'string', default: '0.4' },
      parallel: { type: 'string', default: '1' },
      threads: { type: 'string', default: String(availableParallelism()) },
      settings: { type: 'boolean', default: false },
    },
  }).values

/** A budget says itself what it counts: only rows with a ratio do. */
const ofParameters = (ratio: number) => ({ ratio, ratioOf: 'parameters' })
const plain = (ratio: number, criteria: string[]) =>
  criteria.map((criterion) => ({ criterion, ...ofParameters(ratio) }))
const distilled = (ratio: number) => ({ criterion: 'loraprune', ...ofParameters(ratio), distil: 1 })

/**
 * Rows of the table in the order in which they are run, so that a sweep that is stopped has the most telling ones.
 *
 * @param budget the parameters that a ratio leaves, as a budget
 */
const rowsOf = (budget: (ratio: number) => string) => [
  ...[0.5, 0.2].flatMap((ratio) => [...plain(ratio, ['loraprune']), distilled(ratio)]),
  { criterion: 'loraprune', distil: 1, budget: budget(0.5) },
  ...plain(0.5, ['wanda', 'gradient', 'magnitude', 'random', 'flap', 'depth']),
  ...plain(0.2, ['wanda', 'gradient', 'depth']),
  { criterion: 'loraprune', distil: 1, budget: budget(0.5), selfData: 200 },
  // The preset "Recommended", and what it would be with the layers that real models need most left whole.
  ...[false, true].map((uniform) => ({ criterion: 'loraprune', distil: 1, budget: budget(0.2), uniform })),
  // What is left of the whole recipe with scores that need gradients of all weights.
  { criterion: 'gradient', distil: 1, budget: budget(0.5) },
]

/**
 * A sweep over one model with the same number of training tokens in every run.
 *
 * @throws Error where a flag is missing or wrong
 */
export function realJob(values: ReturnType<typeof realFlags>): SweepJob {
  const checkpoint = values.checkpoint ?? fail('--checkpoint FOLDER is missing: the model to prune')
  const file = (path: string) => resolve(values.texts, path)
  const files = <Name extends string>(paths: Record<Name, string>) =>
    Object.fromEntries(Object.entries<string>(paths).map(([name, path]) => [name, file(path)]))
  const rows = rowsOf((ratio) => `parameters=${parametersLeft(checkpoint, ratio)}`)
  const wanted = values.rows?.map((number) => rows[Number(number)] ?? fail(`--rows: ${number} is no row`)) ?? rows
  const sequenceLength = Number(values['sequence-length'])
  const batchSize = Number(values['batch-size'])
  const rank = Number(values.rank)
  const first = Number(values['first-seed'])
  return sweepSchema.parse({
    kind: 'sweep',
    checkpoint,
    out: values.out,
    parallel: Number(values.parallel),
    // Their perplexity at longer windows is measured once all runs are over.
    keepCheckpoints: true,
    base: {
      data: layout.training.map(file),
      steps: Math.round(Number(values.tokens) / (sequenceLength * batchSize)),
      sequenceLength,
      batchSize,
      // The first tenth of the layers and the last one stay whole, as in the paper's code: without the first ones this model is none.
      uniform: false,
      frequency: Number(values.frequency),
      pruneCooldown: Number(values.cooldown),
      rank,
      alpha: 2 * rank,
      lambda: Number(values.lambda),
      dropout: 0,
      learningRate: Number(values['learning-rate']),
      threads: Number(values.threads),
      saveEvery: 20,
      evaluateDense: true,
      evaluation: {
        tasks: files(layout.tasks),
        limit: Number(values.limit),
        perplexity: files(layout.perplexity),
        maxWindows: Number(values.windows),
      },
    },
    values: { seed: Array.from({ length: Number(values.seeds) }, (_, seed) => first + seed) },
    variants: wanted,
  })
}

/** Parameters that are left where a fraction of the linear layers' of all decoder layers leaves. */
function parametersLeft(folder: string, ratio: number): number {
  using checkpoint = openCheckpoint(folder)
  return checkpoint.parameters - Math.round(ratio * sum(layerWeights(checkpoint.config)))
}

function fail(message: string): never {
  throw new Error(message)
}
