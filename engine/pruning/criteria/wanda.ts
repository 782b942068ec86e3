import { lowRankOf } from '../../lora/adapter.ts'
import { weightSums } from '../../ops/weight-sums.ts'
import { tf } from '../../tensor/tf.ts'
import { type GroupSettings, groupScores, type LayerScores } from '../scores.ts'
import { activationStatistics, inputOf, type LayerStatistics, rootMeanSquares } from '../statistics/activations.ts'
import type { ModelView, SelectionCriterion } from './criterion.ts'

/** Wanda (Sun et al., arXiv 2306.11695) over groups. */
export const wanda = (view: ModelView, settings: GroupSettings): SelectionCriterion => ({
  when: 'selection',
  score: async () => {
    const { model, adapter } = view
    return wandaScores(view, activationStatistics(model, adapter, await view.calibration(), view.masks()), settings)
  },
})

/** Sum over each group of |W_ij| times the root of the mean over tokens of x_j^2. */
export function wandaScores(
  { model, adapter }: Pick<ModelView, 'model' | 'adapter'>,
  statistics: readonly LayerStatistics[],
  settings: GroupSettings,
): LayerScores[] {
  return model.layers.map(({ linears }, layer) => {
    const lowRank = lowRankOf(adapter, layer)
    return groupScores(model.config, layer, settings, ({ linear, along }) =>
      tf.tidy(() => {
        const norms = tf.tensor1d(rootMeanSquares(inputOf(model.config, statistics, layer, linear)))
        return weightSums(linears[linear]!.weight, lowRank[linear], along, (merged) => tf.mul(tf.abs(merged), norms))
      }),
    )
  })
}
