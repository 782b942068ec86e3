import type { TrainingBatch } from '../../data/batches.ts'
import { type Adapter, lowRankOf } from '../../lora/adapter.ts'
import type { LayerMask, LinearName, Model } from '../../models/family.ts'
import { embedBatch, forward } from '../../models/forward.ts'
import type { ModelConfig } from '../../models/model-config.ts'
import { linearOf } from '../../models/tensors.ts'
import { type Tensor, tf } from '../../tensor/tf.ts'
import { passOf } from '../../training/gradients.ts'

/** What a pass is watched for. Tensors are valid during the call only. */
export interface Watch {
  /** What goes into a block's linear layers, as `BlockExtras.observe` shows it: [rows * length, features]. */
  input?: (layer: number, reads: LinearName, x: Tensor) => void
  /** Input and output [rows * length, hidden] of a block. */
  block?: (layer: number, x: Tensor, y: Tensor) => void
}

/** Runs batches through the blocks, adapted and masked, for what can be seen on the way. */
export function watchBlocks(
  model: Model,
  adapter: Adapter | undefined,
  batches: readonly TrainingBatch[],
  masks: readonly LayerMask[] | undefined,
  watch: Watch,
): void {
  for (const batch of batches) {
    using pass = passOf(model.config, batch)
    const last = forward(model, embedBatch(model, batch), pass, {
      extras: (layer) => ({
        lowRank: adapter && lowRankOf(adapter, layer),
        mask: masks?.[layer],
        observe: watch.input && ((reads, input) => watch.input!(layer, reads, input)),
      }),
      visit: watch.block,
    })
    last.dispose()
  }
}

/** Statistics of each feature over all tokens. */
export interface FeatureStatistics {
  tokens: number
  mean: Float64Array
  /** Sum of squared differences from the mean. */
  squares: Float64Array
}

/** Of what goes into a layer's linear layers, by `LinearSpec.reads`. */
export type LayerStatistics = Partial<Record<LinearName, FeatureStatistics>>

/** Mean and spread of everything that goes into linear layers, layer by layer. */
export function activationStatistics(
  model: Model,
  adapter: Adapter | undefined,
  batches: readonly TrainingBatch[],
  masks: readonly LayerMask[] | undefined,
): LayerStatistics[] {
  const layers: LayerStatistics[] = model.layers.map(() => ({}))
  watchBlocks(model, adapter, batches, masks, {
    input: (layer, reads, x) => {
      const [mean, squares] = tf.tidy(() => {
        const centre = tf.mean(x, 0)
        return [centre, tf.sum(tf.square(tf.sub(x, centre)), 0)]
      }) as [Tensor, Tensor]
      const part = {
        tokens: x.shape[0]!,
        mean: Float64Array.from(mean.dataSync()),
        squares: Float64Array.from(squares.dataSync()),
      }
      tf.dispose([mean, squares])
      const earlier = layers[layer]![reads]
      layers[layer]![reads] = earlier ? combined(earlier, part) : part
    },
  })
  return layers
}

/** Statistics of two parts together (Chan, Golub and LeVeque, 1979). */
function combined(one: FeatureStatistics, other: FeatureStatistics): FeatureStatistics {
  const tokens = one.tokens + other.tokens
  const mean = new Float64Array(one.mean.length)
  const squares = new Float64Array(one.mean.length)
  for (let i = 0; i < mean.length; i++) {
    const apart = other.mean[i]! - one.mean[i]!
    mean[i] = one.mean[i]! + (apart * other.tokens) / tokens
    squares[i] = one.squares[i]! + other.squares[i]! + (apart * apart * one.tokens * other.tokens) / tokens
  }
  return { tokens, mean, squares }
}

/** Statistics of what goes into a linear layer. */
export function inputOf(
  config: ModelConfig,
  statistics: readonly LayerStatistics[],
  layer: number,
  name: LinearName,
): FeatureStatistics {
  return statistics[layer]![linearOf(config, layer, name).reads]!
}

/** Root of the mean over tokens of x^2, feature by feature. */
export const rootMeanSquares = ({ tokens, mean, squares }: FeatureStatistics): Float32Array =>
  Float32Array.from(mean, (centre, i) => Math.sqrt(squares[i]! / tokens + centre * centre))

/** Sample variance over tokens (n - 1), feature by feature. */
export const variances = ({ tokens, squares }: FeatureStatistics): Float32Array =>
  Float32Array.from(squares, (sum) => sum / Math.max(1, tokens - 1))
