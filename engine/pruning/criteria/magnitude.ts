import { type Adapter, lowRankOf } from '../../lora/adapter.ts'
import type { LlamaModel } from '../../models/llama.ts'
import { weightSums } from '../../ops/weight-sums.ts'
import { tf } from '../../tensor/tf.ts'
import { type GroupSettings, groupScores } from '../group-scores.ts'
import type { LayerScores, SelectionCriterion } from './criterion.ts'

export interface MagnitudeSettings extends GroupSettings {
  magnitudeNorm: 'l1' | 'l2'
  /** Of the base weights, or with the adapter merged into them. */
  magnitudeWeights: 'merged' | 'base'
}

export const magnitude = (model: LlamaModel, adapter: Adapter, settings: MagnitudeSettings): SelectionCriterion => ({
  when: 'selection',
  score: async () => magnitudeScores(model, adapter, settings),
})

/** Sum of |W| over each group, or the root of the sum of W^2. */
export function magnitudeScores(model: LlamaModel, adapter: Adapter, settings: MagnitudeSettings): LayerScores[] {
  const { magnitudeNorm: norm, magnitudeWeights: weights } = settings
  const size = norm === 'l1' ? tf.abs : tf.square
  return model.layers.map(({ shape, projections }, layer) => {
    const lowRank = weights === 'merged' ? lowRankOf(adapter, layer) : {}
    return groupScores(
      shape,
      settings,
      ({ projection, along }) =>
        weightSums(projections[projection].weight, lowRank[projection], along, (tile) => size(tile)),
      norm === 'l2' ? { finish: Math.sqrt } : {},
    )
  })
}
