import { lowRankOf } from '../../lora/adapter.ts'
import type { SavedValues } from '../../shared/saved-values.ts'
import { weightSums } from '../../ops/weight-sums.ts'
import { tf } from '../../tensor/tf.ts'
import { activationStatistics, type LayerStatistics, variances } from '../activations.ts'
import { groupScores } from '../group-scores.ts'
import { type HeadGroups, type Kind, kinds } from '../groups.ts'
import type { GroupMasks } from '../masks.ts'
import type { LayerScores, ModelView, SelectionCriterion } from './criterion.ts'

/** What is added to the biases of o and down of a layer [hidden] for what no longer reaches them. */
export type Compensation = { o: Float32Array; down: Float32Array }[]

export interface FlapSettings {
  headGroups: HeadGroups
  biasCompensation: boolean
}

/** The projection that a kind's groups flow into. */
const readers = { heads: 'o', channels: 'down' } as const satisfies Record<Kind, string>

/**
 * FLAP (An et al., arXiv 2312.11983): groups whose output hardly changes from token to token leave, and their mean
 * contribution stays as a bias.
 */
export class Flap implements SelectionCriterion {
  readonly when = 'selection'
  readonly #view: ModelView
  readonly #settings: FlapSettings
  #statistics: LayerStatistics[] = []
  /** Biases of the checkpoint itself. */
  readonly #own: Compensation
  readonly compensation: Compensation

  constructor(view: ModelView, settings: FlapSettings) {
    this.#view = view
    this.#settings = settings
    const { config, layers } = view.model
    const zeros = () => new Float32Array(config.hiddenSize)
    this.compensation = layers.map(() => ({ o: zeros(), down: zeros() }))
    this.#own = layers.map(({ projections: { o, down } }) => ({
      o: Float32Array.from(o.bias?.dataSync() ?? zeros()),
      down: Float32Array.from(down.bias?.dataSync() ?? zeros()),
    }))
  }

  async score(masks: GroupMasks): Promise<LayerScores[]> {
    const { model, adapter, calibration } = this.#view
    this.#statistics = activationStatistics(model, adapter, await calibration(), this.#view.masks())
    const scores = fluctuations(this.#view, this.#statistics, this.#settings.headGroups)
    return scores.map((layer, index) => ({
      heads: standardised(layer.heads, masks[index]!.heads),
      channels: standardised(layer.channels, masks[index]!.channels),
    }))
  }

  /** What newly removed groups gave on average goes into the biases. */
  removed(before: GroupMasks, after: GroupMasks): void {
    if (!this.#settings.biasCompensation) return
    const { model, adapter } = this.#view
    for (const [layer, { projections }] of model.layers.entries()) {
      for (const kind of kinds) {
        const reader = readers[kind]
        const { mean } = this.#statistics[layer]![reader]!
        const gone = after[layer]![kind].map((kept, group) => before[layer]![kind][group]! - kept)
        if (!gone.includes(1)) continue
        const size = mean.length / gone.length
        const means = Float32Array.from(mean, (value, feature) => value * gone[Math.floor(feature / size)]!)
        const share = tf.tidy(() => {
          const row = tf.tensor1d(means)
          const lowRank = lowRankOf(adapter, layer)[reader]
          return weightSums(projections[reader].weight, lowRank, 'rows', (merged) => tf.mul(merged, row))
        })
        const bias = this.compensation[layer]![reader]
        for (const [i, value] of share.dataSync().entries()) bias[i]! += value
        share.dispose()
      }
    }
    this.#apply()
  }

  state(): SavedValues {
    const values: SavedValues = new Map()
    for (const [layer, biases] of this.compensation.entries())
      for (const reader of Object.values(readers))
        values.set(`compensation.${layer}.${reader}`, { shape: [biases[reader].length], data: biases[reader] })
    return values
  }

  restore(value: (name: string) => Float32Array): void {
    for (const [layer, biases] of this.compensation.entries())
      for (const reader of Object.values(readers)) biases[reader].set(value(`compensation.${layer}.${reader}`))
    this.#apply()
  }

  /** Gives the model the biases, so that training sees what will be written. */
  #apply(): void {
    if (!this.#settings.biasCompensation) return
    for (const [layer, { projections }] of this.#view.model.layers.entries())
      for (const reader of Object.values(readers)) {
        const added = this.compensation[layer]![reader]
        projections[reader].bias?.dispose()
        projections[reader].bias = tf.tensor1d(this.#own[layer]![reader].map((value, i) => value + added[i]!))
      }
  }
}

/** Sum over each group of the variance over tokens of x_j times the squared norm of column j of o or down. */
export function fluctuations(
  { model, adapter }: Pick<ModelView, 'model' | 'adapter'>,
  statistics: readonly LayerStatistics[],
  headGroups: HeadGroups,
): LayerScores[] {
  return model.layers.map(({ shape, projections }, layer) => {
    const lowRank = lowRankOf(adapter, layer)
    return groupScores(shape, { headGroups, normalise: 'none', reduction: 'sum' }, ({ projection, along }) =>
      along === 'rows'
        ? null
        : tf.tidy(() =>
            tf.mul(
              tf.tensor1d(variances(statistics[layer]![projection]!)),
              weightSums(projections[projection].weight, lowRank[projection], along, (merged) => tf.square(merged)),
            ),
          ),
    )
  })
}

/** Scores less their mean, divided by their standard deviation, both over the groups that are still there. */
export function standardised(scores: Float32Array, mask: Uint8Array): Float32Array {
  const left = scores.filter((_, group) => mask[group] === 1)
  const mean = left.reduce((sum, score) => sum + score, 0) / left.length
  const spread = Math.sqrt(left.reduce((sum, score) => sum + (score - mean) ** 2, 0) / left.length)
  return scores.map((score) => (spread > 0 ? (score - mean) / spread : 0))
}
