import { flushBackend } from '../backends/flush.ts'
import type { LayerShape } from '../checkpoint/model-config.ts'
import { type Tensor, tf } from '../tf.ts'
import type { LayerScores } from './criteria/criterion.ts'
import { groupCount, type GroupMember, groupMembers, type HeadGroups, kinds } from './groups.ts'

export interface GroupSettings {
  headGroups: HeadGroups
  /** Whether each projection's group vector is divided by its L2 norm before projections are put together. */
  normalise: 'none' | 'module'
  /** How the projections' scores of a group become one; `last` is that of o or down alone. */
  reduction: 'sum' | 'mean' | 'max' | 'product' | 'last'
}

/** Scores of a projection's rows [out] or columns [in]; null where it has none. */
export type FeatureScores = (member: GroupMember) => Tensor | null

export interface Transforms {
  /** Applied to a projection's sums over each group [groups]. */
  each?: (sums: Tensor) => Tensor
  /** Applied to the groups' scores [groups]. */
  finish?: (scores: Tensor) => Tensor
}

/** Scores of a layer's groups where the back end has computed them, or will have. */
export type PendingScores = [heads: Tensor, channels: Tensor]

/** Puts the scores of rows and columns together to scores of a layer's groups. */
export const groupScores = (...of: Parameters<typeof pendingScores>): LayerScores =>
  readScores([pendingScores(...of)])[0]!

/** As `groupScores`, without waiting for the result: `readScores` does so for many layers at once. */
export function pendingScores(
  shape: LayerShape,
  settings: GroupSettings,
  features: FeatureScores,
  { each = (sums) => sums, finish = (scores) => scores }: Transforms = {},
): PendingScores {
  const scores = kinds.map((kind) =>
    tf.tidy(() => {
      const groups = groupCount(shape, kind, settings.headGroups)
      const vectors = groupMembers(shape, kind, settings.headGroups).flatMap((member) => {
        const values = features(member)
        return values === null ? [] : [each(tf.sum(tf.reshape(values, [groups, -1]), 1))]
      })
      if (vectors.length === 0) return tf.zeros([groups])
      return finish(reduce(settings.normalise === 'module' ? vectors.map(normalised) : vectors, settings.reduction))
    }),
  )
  flushBackend()
  return scores as PendingScores
}

/** The values of scores, which are disposed of. A graphics card is waited for once. */
export function readScores(layers: readonly PendingScores[]): LayerScores[] {
  const tensors = layers.flat()
  const values = tf.tidy(() => tf.concat(tensors).dataSync())
  let start = 0
  const scores = layers.map(([heads, channels]) => ({ heads: next(heads), channels: next(channels) }))
  tf.dispose(tensors)
  return scores

  function next({ size }: Tensor): Float32Array {
    return Float32Array.from(values.subarray(start, (start += size)))
  }
}

const normalised = (vector: Tensor): Tensor => tf.div(vector, tf.add(tf.sqrt(tf.sum(tf.square(vector))), 1e-8))

function reduce(vectors: Tensor[], reduction: GroupSettings['reduction']): Tensor {
  switch (reduction) {
    case 'sum':
      return tf.addN(vectors)
    case 'mean':
      return tf.div(tf.addN(vectors), vectors.length)
    case 'max':
      return vectors.reduce((one, other) => tf.maximum(one, other))
    case 'product':
      return vectors.reduce((one, other) => tf.mul(one, other))
    case 'last':
      return vectors.at(-1)!
  }
}
