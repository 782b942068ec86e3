import type { Adapter, LayerMatrices } from '../../lora/adapter.ts'
import type { Model } from '../../models/family.ts'
import { adapterImportance } from '../../ops/importance.ts'
import { type GroupSettings, type LayerScores, pendingScores, readScores } from '../scores.ts'
import type { StepCriterion } from './criterion.ts'

export interface LoraPruneSettings extends GroupSettings {
  /** Exponent of |g_hat * W_m|: 1 as in the official code, 2 as in the paper. */
  power: 1 | 2
}

/** LoRAPrune: scores of every step, averaged (arXiv 2305.18403). */
export const loraPrune = (model: Model, adapter: Adapter, settings: LoraPruneSettings): StepCriterion => ({
  when: 'step',
  gather: 'average',
  score: ({ gradients }) => loraPruneScores(model, adapter, gradients, settings),
})

/**
 * LoRAPrune's scores of every group of every layer (arXiv 2305.18403, equations 7 to 10): per weight
 * |g_hat * W_m|^power with g_hat = gB A + B gA - gB gA and W_m = W + scale * B A, summed over the group. Only adapter
 * values and gradients enter; g_hat has rank 2r and is formed tile by tile.
 *
 * @param gradients of the adapter, as they stand after clipping and before the optimiser's step
 */
export function loraPruneScores(
  model: Model,
  adapter: Adapter,
  gradients: LayerMatrices[],
  settings: LoraPruneSettings,
): LayerScores[] {
  const scores = model.layers.map(({ linears }, layer) =>
    pendingScores(model.config, layer, settings, ({ linear, along }) => {
      const pair = adapter.layers[layer]![linear]
      const gradient = gradients[layer]![linear]
      if (!pair || !gradient) return null
      return adapterImportance(linears[linear]!.weight, pair, gradient, adapter.scale, settings.power, along)
    }),
  )
  return readScores(scores)
}
