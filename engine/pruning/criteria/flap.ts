import { lowRankOf } from '../../lora/adapter.ts'
import type { RestoredValues, SavedValues } from '../../shared/saved-values.ts'
import { weightSums } from '../../ops/weight-sums.ts'
import { tf } from '../../tensor/tf.ts'
import { type Kind, kinds, type LinearName } from '../../models/family.ts'
import { readerOf } from '../groups.ts'
import type { GroupMasks } from '../masks.ts'
import type { LayerScores } from '../scores.ts'
import { activationStatistics, type LayerStatistics, variances } from '../statistics/activations.ts'
import type { Compensation, ModelView, SelectionCriterion } from './criterion.ts'

export interface FlapSettings {
  biasCompensation: boolean
}

/**
 * FLAP (An et al., arXiv 2312.11983): groups whose output hardly changes from token to token leave, and their mean
 * contribution stays as a bias.
 */
export class Flap implements SelectionCriterion {
  readonly when = 'selection'
  readonly #view: ModelView
  readonly #settings: FlapSettings
  #statistics: LayerStatistics[] = []
  /** Linear layers that read the groups of a layer: o and down in a decoder. */
  readonly #readers: LinearName[][]
  /** Biases of the checkpoint itself. */
  readonly #own: Record<LinearName, Float32Array>[]
  readonly compensation: Record<LinearName, Float32Array>[] & Compensation

  constructor(view: ModelView, settings: FlapSettings) {
    this.#view = view
    this.#settings = settings
    const { config, layers } = view.model
    const zeros = () => new Float32Array(config.hiddenSize)
    this.#readers = layers.map((_, layer) => kinds.map((kind) => readerOf(config, layer, kind)))
    const byReader = (make: (layer: number, reader: LinearName) => Float32Array) =>
      this.#readers.map((readers, layer) => Object.fromEntries(readers.map((name) => [name, make(layer, name)])))
    this.compensation = byReader(zeros)
    this.#own = byReader((layer, reader) =>
      Float32Array.from(layers[layer]!.linears[reader]!.bias?.dataSync() ?? zeros()),
    )
  }

  async score(masks: GroupMasks): Promise<LayerScores[]> {
    const { model, adapter, calibration } = this.#view
    this.#statistics = activationStatistics(model, adapter, await calibration(), this.#view.masks())
    const features = fluctuations(this.#view, this.#statistics)
    return features.map((layer, index) => ({
      heads: standardised(layer.heads, masks[index]!.heads),
      channels: standardised(layer.channels, masks[index]!.channels),
    }))
  }

  /** What newly removed groups gave on average goes into the biases. */
  removed(before: GroupMasks, after: GroupMasks): void {
    if (!this.#settings.biasCompensation) return
    const { model, adapter } = this.#view
    for (const [layer, { linears }] of model.layers.entries()) {
      for (const [i, kind] of kinds.entries()) {
        const reader = this.#readers[layer]![i]!
        const { mean } = this.#statistics[layer]![reader]!
        const gone = after[layer]![kind].map((kept, group) => before[layer]![kind][group]! - kept)
        if (!gone.includes(1)) continue
        const size = mean.length / gone.length
        const means = Float32Array.from(mean, (value, feature) => value * gone[Math.floor(feature / size)]!)
        const share = tf.tidy(() => {
          const row = tf.tensor1d(means)
          const lowRank = lowRankOf(adapter, layer)[reader]
          return weightSums(linears[reader]!.weight, lowRank, 'rows', (merged) => tf.mul(merged, row))
        })
        const bias = this.compensation[layer]![reader]!
        for (const [at, value] of share.dataSync().entries()) bias[at]! += value
        share.dispose()
      }
    }
    this.#apply()
  }

  state(): SavedValues {
    const values: SavedValues = new Map()
    for (const [layer, biases] of this.compensation.entries())
      for (const [reader, data] of Object.entries(biases))
        values.set(`compensation.${layer}.${reader}`, { shape: [data.length], data })
    return values
  }

  restore(saved: RestoredValues): void {
    for (const [layer, biases] of this.compensation.entries())
      for (const [reader, data] of Object.entries(biases))
        data.set(saved.value(`compensation.${layer}.${reader}`, data.length))
    this.#apply()
  }

  /** Gives the model the biases, so that training sees what will be written. */
  #apply(): void {
    if (!this.#settings.biasCompensation) return
    for (const [layer, { linears }] of this.#view.model.layers.entries())
      for (const [reader, own] of Object.entries(this.#own[layer]!)) {
        const linear = linears[reader]!
        const added = this.compensation[layer]![reader]!
        linear.bias?.dispose()
        linear.bias = tf.tensor1d(own.map((value, i) => value + added[i]!))
      }
  }
}

/** Variance over tokens of x_j times the squared norm of column j of the linear layer that reads each kind: [features]. */
export function fluctuations(
  { model, adapter }: Pick<ModelView, 'model' | 'adapter'>,
  statistics: readonly LayerStatistics[],
): Record<Kind, Float32Array>[] {
  return model.layers.map(({ linears }, layer) => {
    const lowRank = lowRankOf(adapter, layer)
    const ofKind = (kind: Kind): Float32Array => {
      const reader = readerOf(model.config, layer, kind)
      const scores = tf.tidy(() =>
        tf.mul(
          tf.tensor1d(variances(statistics[layer]![reader]!)),
          weightSums(linears[reader]!.weight, lowRank[reader], 'columns', (merged) => tf.square(merged)),
        ),
      )
      const values = scores.dataSync() as Float32Array
      scores.dispose()
      return values
    }
    return { heads: ofKind('heads'), channels: ofKind('channels') }
  })
}

/**
 * Scores of groups: features less their mean, divided by their standard deviation, both over the features of groups that are
 * still there, and then the mean over each group. This puts all layers on one scale; the published code does the same
 * (structure AL-MM), but squares what it takes of attention.
 *
 * @param features [groups * features of a group], a group's features side by side
 */
export function standardised(features: Float32Array, mask: Uint8Array): Float32Array {
  const span = features.length / mask.length
  const left = features.filter((_, feature) => mask[Math.floor(feature / span)] === 1)
  const mean = left.reduce((sum, score) => sum + score, 0) / left.length
  const spread = Math.sqrt(left.reduce((sum, score) => sum + (score - mean) ** 2, 0) / left.length)
  return Float32Array.from(mask, (_, group) => {
    const own = features.subarray(group * span, (group + 1) * span)
    return spread > 0 ? own.reduce((sum, score) => sum + (score - mean) / spread, 0) / span : 0
  })
}
