import { flushBackend } from '../backends/extras.ts'
import { type LayerMatrices, type MatrixPair, pairsOf } from '../lora/adapter.ts'
import { fused, isFused, runFused } from '../ops/fused.ts'
import { type Tensor, tf } from '../tensor/tf.ts'

export interface AdamWSettings {
  beta1: number
  beta2: number
  epsilon: number
  weightDecay: number
}

/** What a step's updates share; tensors, so that their values are no part of a compiled graph. */
export interface StepScalars {
  rate: Tensor
  correction: Tensor
  decay: Tensor
}

/** @param step counts from 1 */
export const stepScalars = (settings: AdamWSettings, step: number, learningRate: number): StepScalars => ({
  rate: tf.scalar(learningRate / (1 - settings.beta1 ** step)),
  correction: tf.scalar(1 / (1 - settings.beta2 ** step)),
  decay: tf.scalar(1 - learningRate * settings.weightDecay),
})

/** One tensor's next first moment, second moment and value. */
export const adamStep = (
  value: Tensor,
  first: Tensor,
  second: Tensor,
  gradient: Tensor,
  { beta1, beta2, epsilon }: AdamWSettings,
  { rate, correction, decay }: StepScalars,
): [Tensor, Tensor, Tensor] =>
  tf.tidy(() => {
    const inputs = { value, first, second, gradient, rate, correction, decay }
    return fused('AdamWUpdate', inputs, { beta1, beta2, epsilon }, () => {
      const m = tf.add(tf.mul(first, beta1), tf.mul(gradient, 1 - beta1))
      const v = tf.add(tf.mul(second, beta2), tf.mul(tf.square(gradient), 1 - beta2))
      const change = tf.div(tf.mul(m, rate), tf.add(tf.sqrt(tf.mul(v, correction)), epsilon))
      return [m, v, tf.sub(tf.mul(value, decay), change)]
    }) as [Tensor, Tensor, Tensor]
  })

const mapPairs = (layers: LayerMatrices[], change: (tensor: Tensor) => Tensor): LayerMatrices[] =>
  layers.map((matrices) => {
    const mapped: LayerMatrices = {}
    for (const [name, { a, b }] of pairsOf(matrices)) mapped[name] = { a: change(a), b: change(b) }
    return mapped
  })

/** Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2) over an adapter's matrices. */
export class AdamW {
  readonly settings: AdamWSettings
  /** First and second moments, shaped as the adapter. */
  first: LayerMatrices[]
  second: LayerMatrices[]

  constructor(layers: LayerMatrices[], settings: AdamWSettings) {
    this.settings = settings
    this.first = mapPairs(layers, tf.zerosLike)
    this.second = mapPairs(layers, tf.zerosLike)
  }

  /**
   * One step: replaces the tensors of `layers` and disposes of the old ones.
   *
   * @param step counts from 1
   */
  apply(layers: LayerMatrices[], gradients: LayerMatrices[], step: number, learningRate: number): void {
    const scalars = stepScalars(this.settings, step, learningRate)
    for (const [index, matrices] of layers.entries()) {
      for (const [name, pair] of pairsOf(matrices)) {
        for (const side of ['a', 'b'] as const) {
          const firsts = this.first[index]![name]!
          const seconds = this.second[index]![name]!
          const gradient = gradients[index]![name]![side]
          const [m, v, value] = adamStep(pair[side], firsts[side], seconds[side], gradient, this.settings, scalars)
          replace(firsts, side, m)
          replace(seconds, side, v)
          replace(pair, side, value)
        }
      }
      flushBackend()
    }
    tf.dispose(Object.values(scalars))
  }

  dispose(): void {
    for (const layers of [this.first, this.second])
      for (const matrices of layers) for (const [, { a, b }] of pairsOf(matrices)) tf.dispose([a, b])
  }
}

function replace(pair: MatrixPair, side: 'a' | 'b', tensor: Tensor): void {
  pair[side].dispose()
  pair[side] = tensor
}

/** The sum of the squares of all elements of some tensors: a scalar. */
export const sumOfSquares = (tensors: readonly Tensor[]): Tensor =>
  tf.tidy(() => {
    if (!isFused('SumsOfSquares')) return tf.addN(tensors.map((tensor) => tf.sum(tf.square(tensor))))
    return tf.sum(runFused('SumsOfSquares', Object.fromEntries(tensors.map((tensor, i) => [`x${i}`, tensor])), {})[0]!)
  })

/**
 * Scales all gradients so that their joint L2 norm is at most `most` (as torch.nn.utils.clip_grad_norm_ does), in place.
 *
 * @returns the norm before clipping
 */
export function clipGradients(gradients: LayerMatrices[], most: number): number {
  const pairs = gradients.flatMap((matrices) => pairsOf(matrices).map(([, pair]) => pair))
  const total = sumOfSquares(pairs.flatMap(({ a, b }) => [a, b]))
  const norm = Math.sqrt(total.dataSync()[0]!)
  total.dispose()
  const factor = most / (norm + 1e-6)
  // NaN and infinite norms are left for the caller to see.
  if (factor < 1 && Number.isFinite(norm)) {
    const scale = tf.scalar(factor)
    for (const pair of pairs) for (const side of ['a', 'b'] as const) replace(pair, side, tf.mul(pair[side], scale))
    flushBackend()
    scale.dispose()
  }
  return norm
}

export interface LearningRateSettings {
  learningRate: number
  /** Fraction of the steps in which the rate rises from zero. */
  warmupRatio: number
  learningRateSchedule: 'constant' | 'linear' | 'cosine'
}

/** Learning rate of a step, counted from 1 to `steps`. */
export function learningRateAt(step: number, steps: number, settings: LearningRateSettings): number {
  const warm = Math.floor(settings.warmupRatio * steps)
  if (step <= warm) return (settings.learningRate * step) / warm
  if (settings.learningRateSchedule === 'constant') return settings.learningRate
  const progress = (step - 1 - warm) / Math.max(1, steps - warm)
  return (
    settings.learningRate *
    (settings.learningRateSchedule === 'linear' ? 1 - progress : (1 + Math.cos(Math.PI * progress)) / 2)
  )
}
