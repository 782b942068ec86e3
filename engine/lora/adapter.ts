import type { LinearName } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { linearOf } from '../models/tensors.ts'
import type { LowRank } from '../ops/linear.ts'
import type { Random } from '../shared/random.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { adapterScale } from './adapter-scale.ts'

export interface AdapterSettings {
  rank: number
  alpha: number
  /** Probability that an element of an adapter's input is dropped while training. */
  dropout: number
  /** rsLoRA: scale alpha / sqrt(rank) in place of alpha / rank (Kalajdzievski, arXiv 2312.03732). */
  rankStabilised: boolean
  /** Linear layers of each block that are adapted. */
  targetModules: LinearName[]
}

/** a [rank, in], b [out, rank], or their gradients or moments. A trained classifier is such a pair too: its weight and bias. */
export interface MatrixPair {
  a: Tensor
  b: Tensor
}
/** Pairs of a layer by the name of their linear layer. */
export type LayerMatrices = Partial<Record<LinearName, MatrixPair>>

export interface Adapter {
  settings: AdapterSettings
  scale: number
  layers: LayerMatrices[]
  /** A classifier that is trained whole beside the pairs: weight a [classes, hidden] and bias b [classes]. */
  classifier: MatrixPair | null
}

/** All that is trained: the pairs of each layer, and the classifier after them. */
export const trainedMatrices = ({ layers, classifier }: Adapter): LayerMatrices[] => [
  ...layers,
  ...classifierMatrices(classifier),
]

/** The classifier, or its gradients or moments, as the last entry of `trainedMatrices`. */
export const classifierMatrices = (classifier: MatrixPair | null): LayerMatrices[] =>
  classifier ? [{ classifier }] : []

/** The values of a pair on the host, row-major: a [rank, in], b [out, rank]. */
export interface PairValues {
  a: Float32Array
  b: Float32Array
}

/** An adapter's values on the host, layer by layer. */
export interface AdapterValues {
  scale: number
  layers: Partial<Record<LinearName, PairValues>>[]
  /** A classifier that is trained whole: weight a [classes, hidden] and bias b [classes]. */
  classifier: PairValues | null
}

/** A fresh adapter: A Kaiming-uniform with a = sqrt 5, that is uniform in +-1 / sqrt(in), and B zero. */
export function createAdapter(
  config: ModelConfig,
  settings: AdapterSettings,
  random: Random,
  classifier: PairValues | null = null,
): Adapter {
  const fresh = (layer: number, name: LinearName): PairValues => {
    const { outputs, inputs } = linearOf(config, layer, name)
    const stream = random.fork(`layers.${layer}.${name}`)
    const bound = 1 / Math.sqrt(inputs)
    const a = Float32Array.from({ length: settings.rank * inputs }, () => (2 * stream.uniform() - 1) * bound)
    return { a, b: new Float32Array(outputs * settings.rank) }
  }
  return adapterFrom(config, settings, fresh, classifier)
}

/** An adapter from the values of its pairs; the rank of a pair follows from their lengths. */
export function adapterFrom(
  config: ModelConfig,
  settings: AdapterSettings,
  values: (layer: number, name: LinearName) => PairValues | undefined,
  classifier: PairValues | null = null,
): Adapter {
  const layers = config.layers.map((_, layer) => {
    const matrices: LayerMatrices = {}
    for (const name of settings.targetModules) {
      const { outputs, inputs } = linearOf(config, layer, name)
      const pair = values(layer, name)
      // PEFT adapters may leave layers out.
      if (!pair) continue
      const { a, b } = pair
      const rank = a.length / inputs
      matrices[name] = { a: tf.tensor2d(a, [rank, inputs]), b: tf.tensor2d(b, [outputs, rank]) }
    }
    return matrices
  })
  const whole = classifier && {
    a: tf.tensor2d(classifier.a, [classifier.b.length, config.hiddenSize]),
    b: tf.tensor1d(classifier.b),
  }
  return { settings, scale: adapterScale(settings), layers, classifier: whole }
}

/** How many numbers an adapter trains: those of its pairs, and those of a classifier. */
export const trainedNumbers = ({ layers, classifier }: Adapter): { adapter: number; classifier: number } => ({
  adapter: layers.flatMap((matrices) => pairsOf(matrices)).reduce((sum, [, pair]) => sum + sizeOf(pair), 0),
  classifier: classifier ? sizeOf(classifier) : 0,
})

const sizeOf = ({ a, b }: MatrixPair): number => a.size + b.size

/** The values of an adapter, read from the back end. */
export const adapterValues = ({ scale, layers, classifier }: Adapter): AdapterValues => ({
  scale,
  layers: layers.map((matrices) => Object.fromEntries(pairsOf(matrices).map(([name, pair]) => [name, valuesOf(pair)]))),
  classifier: classifier && valuesOf(classifier),
})

const valuesOf = ({ a, b }: MatrixPair): PairValues => ({
  a: a.dataSync() as Float32Array,
  b: b.dataSync() as Float32Array,
})

/** The pairs of a layer in a fixed order. */
export const pairsOf = (matrices: LayerMatrices): [LinearName, MatrixPair][] =>
  Object.entries(matrices) as [LinearName, MatrixPair][]

/**
 * What a layer's adapter adds to its linear layers.
 *
 * @param keep dropout of an adapter's input
 */
export function lowRankOf(
  adapter: Adapter,
  layer: number,
  matrices: LayerMatrices = adapter.layers[layer]!,
  keep?: (name: LinearName) => Tensor | undefined,
): Partial<Record<LinearName, LowRank>> {
  const result: Partial<Record<LinearName, LowRank>> = {}
  for (const [name, { a, b }] of pairsOf(matrices)) result[name] = { a, b, scale: adapter.scale, keep: keep?.(name) }
  return result
}

export function disposeMatrices(layers: LayerMatrices[]): void {
  for (const matrices of layers) for (const [, { a, b }] of pairsOf(matrices)) tf.dispose([a, b])
}
