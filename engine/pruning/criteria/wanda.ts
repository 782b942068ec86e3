import { lowRankOf } from '../../lora/adapter.ts'
import { weightSums } from '../../ops/weight-sums.ts'
import { tf } from '../../tensor/tf.ts'
import { activationStatistics, inputOf, type LayerStatistics, rootMeanSquares } from '../activations.ts'
import { type GroupSettings, groupScores } from '../group-scores.ts'
import type { LayerScores, ModelView, SelectionCriterion } from './criterion.ts'

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
  return model.layers.map(({ shape, projections }, layer) => {
    const lowRank = lowRankOf(adapter, layer)
    return groupScores(shape, settings, ({ projection, along }) =>
      tf.tidy(() => {
        const norms = tf.tensor1d(rootMeanSquares(inputOf(statistics[layer]!, projection)))
        return weightSums(projections[projection].weight, lowRank[projection], along, (merged) =>
          tf.mul(tf.abs(merged), norms),
        )
      }),
    )
  })
}
