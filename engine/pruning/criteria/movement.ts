import { type Adapter, type LayerMatrices, lowRankOf } from '../../lora/adapter.ts'
import type { LlamaModel } from '../../models/llama.ts'
import { rowsOf, weightSums } from '../../ops/weight-sums.ts'
import { tf } from '../../tf.ts'
import { type GroupSettings, groupScores } from '../group-scores.ts'
import type { LayerScores, StepCriterion } from './criterion.ts'

/** Movement pruning (Sanh et al., arXiv 2005.07683): - g * W, added up over the steps. */
export const movement = (model: LlamaModel, adapter: Adapter, settings: GroupSettings): StepCriterion => ({
  when: 'step',
  gather: 'sum',
  score: ({ gradients }) => movementScores(model, adapter, gradients, settings),
})

/**
 * A step's share of movement: the sum of - g_hat * W_m over each group, where g_hat = gB A + B gA - gB gA stands for the
 * gradient of a base weight that is frozen.
 */
export function movementScores(
  model: LlamaModel,
  adapter: Adapter,
  gradients: LayerMatrices[],
  settings: GroupSettings,
): LayerScores[] {
  return model.layers.map(({ shape, projections }, layer) => {
    const lowRank = lowRankOf(adapter, layer)
    return groupScores(shape, settings, ({ projection, along }) => {
      const pair = lowRank[projection]
      const gradient = gradients[layer]![projection]
      if (!pair || !gradient) return null
      return tf.tidy(() => {
        const right = tf.concat([pair.a, gradient.a], 0)
        const left = tf.concat([gradient.b, tf.sub(pair.b, gradient.b)], 1)
        return weightSums(projections[projection].weight, pair, along, (merged, start, rows) =>
          tf.neg(tf.mul(tf.matMul(rowsOf(left, start, rows), right), merged)),
        )
      })
    })
  })
}
