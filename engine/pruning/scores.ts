import { flushBackend } from '../backends/extras.ts'
import { type GroupMember, type HeadGroups, type Kind, kinds } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { groupsOf } from './groups.ts'

/** One score a group, of each kind; the lowest leave first. */
export type LayerScores = Record<Kind, Float32Array>

export interface GroupSettings {
  headGroups: HeadGroups
  /** Whether each linear layer's group vector is divided by its L2 norm before the layers are put together. */
  normalise: 'none' | 'module'
  /** How the linear layers' scores of a group become one; `last` is that of the layer that reads the groups alone. */
  reduction: 'sum' | 'mean' | 'max' | 'product' | 'last'
}

/** Scores of a linear layer's rows [out] or columns [in]; null where it has none. */
export type FeatureScores = (member: GroupMember) => Tensor | null

export interface Transforms {
  /** Applied to a linear layer's sum over a group. */
  each?: (sum: number) => number
  /** Applied to a group's score. */
  finish?: (score: number) => number
}

/** What becomes the scores of a layer once the back end is asked for it: a linear layer's sums over each group [groups], by kind. */
export interface PendingScores {
  sums: Tensor[][]
  groups: number[]
  settings: GroupSettings
  transforms: Transforms
}

/** Puts the scores of rows and columns together to scores of a layer's groups. */
export const groupScores = (...of: Parameters<typeof pendingScores>): LayerScores =>
  readScores([pendingScores(...of)])[0]!

/** As `groupScores`, without waiting for the result: `readScores` does so for many layers at once. */
export function pendingScores(
  config: ModelConfig,
  layer: number,
  settings: GroupSettings,
  features: FeatureScores,
  transforms: Transforms = {},
): PendingScores {
  const groups = kinds.map((kind) => groupsOf(config, layer, kind, settings.headGroups))
  const sums = groups.map(({ count, members }) =>
    tf.tidy(() =>
      members.flatMap((member) => {
        const values = features(member)
        return values === null ? [] : [tf.sum(tf.reshape(values, [count, -1]), 1)]
      }),
    ),
  )
  flushBackend()
  return { sums, groups: groups.map(({ count }) => count), settings, transforms }
}

/**
 * The scores of layers, whose sums are disposed of. A graphics card is waited for once; what is left to do is a few numbers a
 * group, for which it would cost more to ask the card.
 */
export function readScores(layers: readonly PendingScores[]): LayerScores[] {
  const tensors = layers.flatMap(({ sums }) => sums.flat())
  const values = tensors.length > 0 ? tf.tidy(() => tf.concat(tensors).dataSync()) : new Float32Array(0)
  tf.dispose(tensors)
  let start = 0
  const next = ({ size }: Tensor) => values.subarray(start, (start += size))
  return layers.map(({ sums, groups, settings, transforms }) => {
    const [heads, channels] = sums.map((ofKind, i) => together(ofKind.map(next), groups[i]!, settings, transforms))
    return { heads: heads!, channels: channels! }
  })
}

/** One score a group from its linear layers' sums, each an array [groups]; zeros where there are none. */
function together(
  sums: ArrayLike<number>[],
  groups: number,
  { normalise, reduction }: GroupSettings,
  { each = (sum) => sum, finish = (score) => score }: Transforms,
): Float32Array {
  if (sums.length === 0) return new Float32Array(groups)
  const vectors = sums.map((vector) => Float64Array.from(vector, each))
  if (normalise === 'module') for (const vector of vectors) normaliseInPlace(vector)
  const [scores, ...others] = vectors as [Float64Array, ...Float64Array[]]
  const combine = combinations[reduction]
  for (const other of others)
    for (const [group, value] of other.entries()) scores[group] = combine(scores[group]!, value)
  const share = reduction === 'mean' ? vectors.length : 1
  return Float32Array.from(scores, (score) => finish(score / share))
}

const add = (one: number, other: number) => one + other
const combinations: Record<GroupSettings['reduction'], (one: number, other: number) => number> = {
  sum: add,
  mean: add,
  max: Math.max,
  product: (one, other) => one * other,
  last: (_, other) => other,
}

function normaliseInPlace(vector: Float64Array): void {
  const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0)) + 1e-8
  for (const [i, value] of vector.entries()) vector[i] = value / norm
}
