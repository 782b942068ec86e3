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
  const values = valuesOf(tensors)
  let start = 0
  const next = ({ size }: Tensor) => values.subarray(start, (start += size))
  return layers.map(({ sums, groups, settings, transforms }) => {
    const [heads, channels] = sums.map((ofKind, i) => together(ofKind.map(next), groups[i]!, settings, transforms))
    return { heads: heads!, channels: channels! }
  })
}

/** What the tensors hold, one after the other. They are disposed of. */
function valuesOf(tensors: Tensor[]): Float32Array {
  if (tensors.length === 0) return new Float32Array(0)
  const all = tf.concat(tensors)
  // Read outside of tidy, which would look for tensors among the numbers: a second a million.
  const values = all.dataSync() as Float32Array
  tf.dispose([...tensors, all])
  return values
}

/** One score a group from its linear layers' sums, each an array [groups]; zeros where there are none. */
function together(
  sums: ArrayLike<number>[],
  groups: number,
  { normalise, reduction }: GroupSettings,
  { each, finish }: Transforms,
): Float32Array {
  if (sums.length === 0) return new Float32Array(groups)
  // A model has a million groups: typed arrays change their numbers in place, without a call of an iterator for each.
  const vectors = sums.map((vector) => new Float64Array(vector))
  if (each) for (const vector of vectors) changeEach(vector, each)
  if (normalise === 'module') for (const vector of vectors) normaliseInPlace(vector)
  const [scores, ...others] = vectors as [Float64Array, ...Float64Array[]]
  const combine = combinations[reduction]
  for (const other of others)
    for (let group = 0; group < groups; group++) scores[group] = combine(scores[group]!, other[group]!)
  if (reduction === 'mean') changeEach(scores, (score) => score / vectors.length)
  if (finish) changeEach(scores, finish)
  return new Float32Array(scores)
}

function changeEach(values: Float64Array, change: (value: number) => number): void {
  for (let i = 0; i < values.length; i++) values[i] = change(values[i]!)
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
  let squares = 0
  for (let i = 0; i < vector.length; i++) squares += vector[i]! * vector[i]!
  const norm = Math.sqrt(squares) + 1e-8
  changeEach(vector, (value) => value / norm)
}
