import { type Tensor, tf } from '../../tensor/tf.ts'
import type { HeadGroups, Kind } from '../../models/family.ts'
import { groupCount } from '../groups.ts'
import type { LayerScores } from '../scores.ts'
import { watchBlocks } from '../statistics/activations.ts'
import type { ModelView, SelectionCriterion } from './criterion.ts'

/** Depth pruning by block influence (Men et al., ShortGPT, arXiv 2403.03853): whole layers leave. */
export const depth = (view: ModelView, headGroups: HeadGroups): SelectionCriterion => ({
  when: 'selection',
  score: async () => {
    const influence = blockInfluence(view, await view.calibration())
    // Every group of a layer has the layer's score: they leave together.
    const scores = (layer: number, kind: Kind) =>
      new Float32Array(groupCount(view.model.config, layer, kind, headGroups)).fill(influence[layer]!)
    return view.model.layers.map((_, layer): LayerScores => ({
      heads: scores(layer, 'heads'),
      channels: scores(layer, 'channels'),
    }))
  },
})

/** 1 - the mean over tokens of the cosine between a block's input and its output, block by block. */
export function blockInfluence(
  { model, adapter, masks }: Pick<ModelView, 'model' | 'adapter' | 'masks'>,
  batches: Parameters<typeof watchBlocks>[2],
): number[] {
  const sums = new Float64Array(model.layers.length)
  let tokens = 0
  for (const batch of batches) tokens += batch.rows * batch.length
  watchBlocks(model, adapter, batches, masks(), {
    block: (layer, x, y) => {
      const sum = tf.tidy(() => tf.sum(cosines(x, y)))
      sums[layer]! += sum.dataSync()[0]!
      sum.dispose()
    },
  })
  return Array.from(sums, (sum) => 1 - sum / tokens)
}

/** Cosine between the rows of two matrices: [rows]. */
export function cosines(x: Tensor, y: Tensor): Tensor {
  const lengths = tf.mul(tf.sum(tf.square(x), 1), tf.sum(tf.square(y), 1))
  return tf.div(tf.sum(tf.mul(x, y), 1), tf.sqrt(tf.maximum(lengths, 1e-30)))
}
