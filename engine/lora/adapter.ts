import type { ModelConfig } from '../models/model-config.ts'
import { type Projection, projectionShape } from '../models/projections.ts'
import type { LowRank } from '../ops/linear.ts'
import type { Random } from '../shared/random.ts'
import { type Tensor, tf } from '../tensor/tf.ts'

export interface AdapterSettings {
  rank: number
  alpha: number
  /** Probability that an element of an adapter's input is dropped while training. */
  dropout: number
  /** rsLoRA: scale alpha / sqrt(rank) in place of alpha / rank (Kalajdzievski, arXiv 2312.03732). */
  rankStabilised: boolean
  projections: Projection[]
}

/** a [rank, in], b [out, rank], or their gradients or moments. */
export interface MatrixPair {
  a: Tensor
  b: Tensor
}
export type LayerMatrices = Partial<Record<Projection, MatrixPair>>

export interface Adapter {
  settings: AdapterSettings
  scale: number
  layers: LayerMatrices[]
}

export const adapterScale = ({ alpha, rank, rankStabilised }: AdapterSettings) =>
  alpha / (rankStabilised ? Math.sqrt(rank) : rank)

/** A fresh adapter: A Kaiming-uniform with a = sqrt 5, that is uniform in +-1 / sqrt(in), and B zero. */
export function createAdapter(config: ModelConfig, settings: AdapterSettings, random: Random): Adapter {
  return adapterFrom(config, settings, (layer, projection) => {
    const [outputs, inputs] = projectionShape(config, layer, projection)
    const stream = random.fork(`layers.${layer}.${projection}`)
    const bound = 1 / Math.sqrt(inputs)
    const a = Float32Array.from({ length: settings.rank * inputs }, () => (2 * stream.uniform() - 1) * bound)
    return { a, b: new Float32Array(outputs * settings.rank) }
  })
}

/** An adapter from values: a [rank, in] and b [out, rank] a projection, row-major. */
export function adapterFrom(
  config: ModelConfig,
  settings: AdapterSettings,
  values: (layer: number, projection: Projection) => { a: Float32Array; b: Float32Array } | undefined,
): Adapter {
  const layers = config.layers.map((_, layer) => {
    const matrices: LayerMatrices = {}
    for (const projection of settings.projections) {
      const [outputs, inputs] = projectionShape(config, layer, projection)
      const pair = values(layer, projection)
      // PEFT adapters may leave layers out.
      if (!pair) continue
      const { a, b } = pair
      matrices[projection] = {
        a: tf.tensor2d(a, [settings.rank, inputs]),
        b: tf.tensor2d(b, [outputs, settings.rank]),
      }
    }
    return matrices
  })
  return { settings, scale: adapterScale(settings), layers }
}

/** The pairs of a layer in a fixed order. */
export const pairsOf = (matrices: LayerMatrices): [Projection, MatrixPair][] =>
  Object.entries(matrices) as [Projection, MatrixPair][]

/** What a block needs of the adapter, with other tensors in place of its own where gradients are taken. */
export function lowRankOf(
  adapter: Adapter,
  layer: number,
  matrices: LayerMatrices = adapter.layers[layer]!,
  keep?: (projection: Projection) => Tensor | undefined,
): Partial<Record<Projection, LowRank>> {
  const result: Partial<Record<Projection, LowRank>> = {}
  for (const [projection, { a, b }] of pairsOf(matrices))
    result[projection] = { a, b, scale: adapter.scale, keep: keep?.(projection) }
  return result
}

export function disposeMatrices(layers: LayerMatrices[]): void {
  for (const matrices of layers) for (const [, { a, b }] of pairsOf(matrices)) tf.dispose([a, b])
}
