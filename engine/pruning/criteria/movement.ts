import type { TrainingBatch } from '../../data/batches.ts'
import { type Adapter, type LayerMatrices, lowRankOf } from '../../lora/adapter.ts'
import type { Model } from '../../models/family.ts'
import { rowsOf, weightSums } from '../../ops/weight-sums.ts'
import { tf } from '../../tensor/tf.ts'
import { type GroupSettings, groupScores, type LayerScores } from '../scores.ts'
import { mapWeightGradients } from '../statistics/weight-gradients.ts'
import type { ModelView, StepCriterion } from './criterion.ts'

export interface MovementSettings extends GroupSettings {
  /** Whether g is estimated from the adapter's gradients, or the true gradient of the weights. */
  movementGradients: 'adapter' | 'weights'
}

/** Movement pruning (Sanh et al., arXiv 2005.07683): - g * W, added up over the steps. */
export const movement = (view: ModelView, settings: MovementSettings): StepCriterion => ({
  when: 'step',
  gather: 'sum',
  score: ({ gradients, batches }) =>
    settings.movementGradients === 'adapter'
      ? movementScores(view.model, view.adapter, gradients, settings)
      : trueMovementScores(view, batches, settings),
})

/** The same with the true gradient, formed one block at a time. */
export const trueMovementScores = (
  { model, adapter, masks }: Pick<ModelView, 'model' | 'adapter' | 'masks'>,
  batches: readonly TrainingBatch[],
  settings: GroupSettings,
): LayerScores[] =>
  mapWeightGradients(model, adapter, batches, { masks: masks() }, (layer, { weights, gradients }) =>
    groupScores(model.config, layer, settings, ({ linear, along }) =>
      tf.tidy(() => tf.neg(tf.sum(tf.mul(gradients[linear]!, weights[linear]!), along === 'rows' ? 1 : 0))),
    ),
  )

/**
 * A step's share of movement: the sum of - g_hat * W_m over each group, where g_hat = gB A + B gA - gB gA stands for the
 * gradient of a base weight that is frozen.
 */
export function movementScores(
  model: Model,
  adapter: Adapter,
  gradients: LayerMatrices[],
  settings: GroupSettings,
): LayerScores[] {
  return model.layers.map(({ linears }, layer) => {
    const lowRank = lowRankOf(adapter, layer)
    return groupScores(model.config, layer, settings, ({ linear, along }) => {
      const pair = lowRank[linear]
      const gradient = gradients[layer]![linear]
      if (!pair || !gradient) return null
      return tf.tidy(() => {
        const right = tf.concat([pair.a, gradient.a], 0)
        const left = tf.concat([gradient.b, tf.sub(pair.b, gradient.b)], 1)
        return weightSums(linears[linear]!.weight, pair, along, (merged, start, rows) =>
          tf.neg(tf.mul(tf.matMul(rowsOf(left, start, rows), right), merged)),
        )
      })
    })
  })
}
