import { linearNames } from '../models/tensors.ts'
import type { TrainingBatch } from '../data/batches.ts'
import { createAdapter, type LayerMatrices } from '../lora/adapter.ts'
import type { Model } from '../models/family.ts'
import { loraPruneScores } from '../pruning/criteria/loraprune.ts'
import { Random } from '../shared/random.ts'
import type { Teacher } from '../training/teacher.ts'
import { Trainer } from '../training/trainer.ts'

const training = {
  steps: 1e6,
  gradientAccumulation: 1,
  maxGradientNorm: 1,
  seed: 1,
  learningRate: 1e-4,
  warmupRatio: 0,
  learningRateSchedule: 'constant',
  weightDecay: 0,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
} as const

const scoring = { power: 1, normalise: 'module', reduction: 'sum', headGroups: 'key-value-heads' } as const

/** What a benchmark trains and scores: a model with an adapter of rank 8 on everything, and one batch of random tokens. */
export function subjectOf(
  model: Model,
  {
    rows,
    length,
    gradientCheckpointing,
    teacher,
  }: { rows: number; length: number; gradientCheckpointing: 'off' | 'on'; teacher?: Teacher | undefined },
) {
  const random = new Random(1)
  const ids = Int32Array.from({ length: rows * length }, () => random.integer(model.config.vocabularySize))
  const batch: TrainingBatch = { ids, labels: ids, segments: null, positions: null, rows, length, targets: ids.length }
  const adapter = createAdapter(
    model.config,
    { rank: 8, alpha: 16, dropout: 0, rankStabilised: false, targetModules: linearNames(model.config) },
    random.fork('adapter'),
  )
  const batches = { perEpoch: 1, tokensPerEpoch: ids.length, at: () => batch }
  const trainer = new Trainer(model, adapter, batches, { ...training, gradientCheckpointing, teacher })
  /** The rows as texts whose log-likelihood is asked for. */
  const items = Array.from({ length: rows }, (_, row) => {
    const [first, ...rest] = ids.slice(row * length, (row + 1) * length)
    return { prefix: [first!], suffixes: [rest] }
  })
  const score = (gradients: LayerMatrices[]) => loraPruneScores(model, adapter, gradients, scoring)
  return { ids, batch, adapter, trainer, items, score }
}
