import { flushBackend } from '../../backends/flush.ts'
import type { Adapter, LayerMatrices, MatrixPair } from '../../lora/adapter.ts'
import type { LlamaModel } from '../../models/llama.ts'
import { adapterImportance } from '../../ops/importance.ts'
import { type Tensor, tf } from '../../tf.ts'
import { groupCount, groupMembers, type HeadGroups, type Kind, kinds } from '../groups.ts'

export interface LoraPruneSettings {
  /** Exponent of |g_hat * W_m|: 1 as in the official code, 2 as in the paper. */
  power: 1 | 2
  /** Whether each projection's group vector is divided by its L2 norm before projections are added up. */
  normalise: 'none' | 'module'
  headGroups: HeadGroups
}

/** One score a group, of each kind. */
export type LayerScores = Record<Kind, Float32Array>

/**
 * LoRAPrune's scores of every group of every layer (arXiv 2305.18403, equations 7 to 10): per weight
 * |g_hat * W_m|^power with g_hat = gB A + B gA - gB gA and W_m = W + scale * B A, summed over the group. Only adapter
 * values and gradients enter; g_hat has rank 2r and is formed tile by tile.
 *
 * @param gradients of the adapter, as they stand after clipping and before the optimiser's step
 */
export function loraPruneScores(
  model: LlamaModel,
  adapter: Adapter,
  gradients: LayerMatrices[],
  settings: LoraPruneSettings,
): LayerScores[] {
  return model.layers.map((layer, index) => {
    const scores = kinds.map((kind) =>
      tf.tidy(() => {
        const groups = groupCount(layer.shape, kind, settings.headGroups)
        const members = groupMembers(layer.shape, kind, settings.headGroups).filter(
          ({ projection }) => adapter.layers[index]![projection],
        )
        if (members.length === 0) return tf.zeros([groups])
        const vectors = members.map(({ projection, along }) => {
          const { weight } = layer.projections[projection]
          const pair: MatrixPair = adapter.layers[index]![projection]!
          const gradient: MatrixPair = gradients[index]![projection]!
          const importance = adapterImportance(weight, pair, gradient, adapter.scale, settings.power, along)
          const sums = tf.sum(tf.reshape(importance, [groups, -1]), 1)
          return settings.normalise === 'module' ? normalised(sums) : sums
        })
        return tf.addN(vectors)
      }),
    )
    flushBackend()
    const [heads, channels] = scores.map((tensor) => Float32Array.from(tensor.dataSync()))
    tf.dispose(scores)
    return { heads: heads!, channels: channels! }
  })
}

const normalised = (vector: Tensor): Tensor => tf.div(vector, tf.add(tf.sqrt(tf.sum(tf.square(vector))), 1e-8))
