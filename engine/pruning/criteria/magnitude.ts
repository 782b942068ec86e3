import { type Adapter, lowRankOf } from '../../lora/adapter.ts'
import type { Model } from '../../models/family.ts'
import { weightSums } from '../../ops/weight-sums.ts'
import { tf } from '../../tensor/tf.ts'
import { type GroupSettings, groupScores, type LayerScores } from '../scores.ts'
import type { SelectionCriterion } from './criterion.ts'

export interface MagnitudeSettings extends GroupSettings {
  magnitudeNorm: 'l1' | 'l2'
  /** Of the base weights, or with the adapter merged into them. */
  magnitudeWeights: 'merged' | 'base'
}

export const magnitude = (model: Model, adapter: Adapter, settings: MagnitudeSettings): SelectionCriterion => ({
  when: 'selection',
  score: async () => magnitudeScores(model, adapter, settings),
})

/** Sum of |W| over each group, or the root of the sum of W^2. */
export function magnitudeScores(model: Model, adapter: Adapter, settings: MagnitudeSettings): LayerScores[] {
  const { magnitudeNorm: norm, magnitudeWeights: weights } = settings
  const size = norm === 'l1' ? tf.abs : tf.square
  return model.layers.map(({ linears }, layer) => {
    const lowRank = weights === 'merged' ? lowRankOf(adapter, layer) : {}
    return groupScores(
      model.config,
      layer,
      settings,
      ({ linear, along }) => weightSums(linears[linear]!.weight, lowRank[linear], along, (tile) => size(tile)),
      norm === 'l2' ? { finish: Math.sqrt } : {},
    )
  })
}
