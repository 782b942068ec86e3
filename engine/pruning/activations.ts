import { flushBackend } from '../backends/flush.ts'
import type { Projection } from '../models/projections.ts'
import type { TrainingBatch } from '../data/batches.ts'
import { type Adapter, lowRankOf } from '../lora/adapter.ts'
import { block, disposePass, type LayerMask, type LlamaModel } from '../models/llama.ts'
import { embed } from '../ops/linear.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { passOf } from '../training/gradients.ts'

/** What a pass is watched for. Tensors are valid during the call only. */
export interface Watch {
  /** What goes into a block's projections, as `BlockExtras.observe` shows it: [rows * length, features]. */
  input?: (layer: number, projection: Projection, x: Tensor) => void
  /** Input and output [rows * length, hidden] of a block. */
  block?: (layer: number, x: Tensor, y: Tensor) => void
}

/** Runs batches through the blocks, adapted and masked, for what can be seen on the way. */
export function watchBlocks(
  model: LlamaModel,
  adapter: Adapter | undefined,
  batches: readonly TrainingBatch[],
  masks: LayerMask[] | undefined,
  watch: Watch,
): void {
  for (const batch of batches) {
    const pass = passOf(model, batch)
    let x = tf.tidy(() => embed(tf.tensor1d(batch.ids, 'int32'), model.embedding))
    for (const [index, layer] of model.layers.entries()) {
      const y = tf.tidy(() =>
        block(x, layer, model.config, pass, {
          lowRank: adapter && lowRankOf(adapter, index),
          mask: masks?.[index],
          observe: watch.input && ((projection, input) => watch.input!(index, projection, input)),
        }),
      )
      watch.block?.(index, x, y)
      x.dispose()
      flushBackend()
      x = y
    }
    x.dispose()
    disposePass(pass)
  }
}

/** Statistics of each feature over all tokens. */
export interface FeatureStatistics {
  tokens: number
  mean: Float64Array
  /** Sum of squared differences from the mean. */
  squares: Float64Array
}

export type LayerStatistics = Partial<Record<Projection, FeatureStatistics>>

/** Mean and spread of what goes into q (k, v), o, gate (up) and down of every layer. */
export function activationStatistics(
  model: LlamaModel,
  adapter: Adapter | undefined,
  batches: readonly TrainingBatch[],
  masks: LayerMask[] | undefined,
): LayerStatistics[] {
  const layers: LayerStatistics[] = model.layers.map(() => ({}))
  watchBlocks(model, adapter, batches, masks, {
    input: (layer, projection, x) => {
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
      const earlier = layers[layer]![projection]
      layers[layer]![projection] = earlier ? combined(earlier, part) : part
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

/** Statistics of what goes into a projection: k and v read what q reads, and up what gate reads. */
export function inputOf(statistics: LayerStatistics, projection: Projection): FeatureStatistics {
  const source = projection === 'k' || projection === 'v' ? 'q' : projection === 'up' ? 'gate' : projection
  return statistics[source]!
}

/** Root of the mean over tokens of x^2, feature by feature. */
export const rootMeanSquares = ({ tokens, mean, squares }: FeatureStatistics): Float32Array =>
  Float32Array.from(mean, (centre, i) => Math.sqrt(squares[i]! / tokens + centre * centre))

/** Sample variance over tokens (n - 1), feature by feature. */
export const variances = ({ tokens, squares }: FeatureStatistics): Float32Array =>
  Float32Array.from(squares, (sum) => sum / Math.max(1, tokens - 1))
