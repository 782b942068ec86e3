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

/** A tensor that is trained, its moments and its gradient, all of one shape. */
export interface Trained {
  value: Tensor
  first: Tensor
  second: Tensor
  gradient: Tensor
}

/**
 * The next values and moments of some tensors, which may be in the same memory: those given are over.
 *
 *     m' = beta1 m + (1 - beta1) g;   v' = beta2 v + (1 - beta2) g^2;   value' = decay value - rate m' / (sqrt(correction v') + epsilon)
 */
export function adamSteps(
  trained: readonly Trained[],
  { beta1, beta2, epsilon }: AdamWSettings,
  { rate, correction, decay }: StepScalars,
): Omit<Trained, 'gradient'>[] {
  const inputs: Record<string, Tensor> = { rate, correction, decay }
  for (const [i, of] of trained.entries())
    for (const name of ['value', 'first', 'second', 'gradient'] as const) inputs[`${name}${i}`] = of[name]
  const results = tf.tidy(() =>
    fused('AdamWUpdate', inputs, { beta1, beta2, epsilon, items: trained.length }, () =>
      trained.flatMap(({ value, first, second, gradient }) => {
        const m = tf.add(tf.mul(first, beta1), tf.mul(gradient, 1 - beta1))
        const v = tf.add(tf.mul(second, beta2), tf.mul(tf.square(gradient), 1 - beta2))
        const change = tf.div(tf.mul(m, rate), tf.add(tf.sqrt(tf.mul(v, correction)), epsilon))
        return [m, v, tf.sub(tf.mul(value, decay), change)]
      }),
    ),
  )
  return trained.map((_, i) => ({ first: results[3 * i]!, second: results[3 * i + 1]!, value: results[3 * i + 2]! }))
}

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
      const places = pairsOf(matrices).flatMap(([name, pair]) =>
        sides.map((side) => ({
          side,
          value: pair,
          first: this.first[index]![name]!,
          second: this.second[index]![name]!,
          gradient: gradients[index]![name]!,
        })),
      )
      const trained = places.map(({ side, value, first, second, gradient }) => ({
        value: value[side],
        first: first[side],
        second: second[side],
        gradient: gradient[side],
      }))
      for (const [i, next] of adamSteps(trained, this.settings, scalars).entries()) {
        const place = places[i]!
        for (const name of ['value', 'first', 'second'] as const) replace(place[name], place.side, next[name])
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

const sides = ['a', 'b'] as const

function replace(pair: MatrixPair, side: (typeof sides)[number], tensor: Tensor): void {
  pair[side].dispose()
  pair[side] = tensor
}

/** The sum of the squares of all elements of some tensors: a scalar. */
export const sumOfSquares = (tensors: readonly Tensor[]): Tensor =>
  tf.tidy(() => {
    if (!isFused('SumsOfSquares')) return tf.addN(tensors.map((tensor) => tf.sum(tf.square(tensor))))
    return tf.sum(runFused('SumsOfSquares', Object.fromEntries(tensors.map((tensor, i) => [`x${i}`, tensor])), {})[0]!)
  })

/** Some tensors times a factor, which may be in the same memory: those given are over. */
export function scaleAll(tensors: readonly Tensor[], factor: number): Tensor[] {
  const scale = tf.scalar(factor)
  const named = Object.fromEntries(tensors.map((tensor, i) => [`x${i}`, tensor]))
  const scaled = fused('ScaleAll', { ...named, factor: scale }, {}, () =>
    tensors.map((tensor) => tf.mul(tensor, scale)),
  )
  flushBackend()
  scale.dispose()
  return scaled
}

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
    const places = pairs.flatMap((pair) => sides.map((side) => ({ pair, side })))
    const scaled = scaleAll(
      places.map(({ pair, side }) => pair[side]),
      factor,
    )
    for (const [i, { pair, side }] of places.entries()) replace(pair, side, scaled[i]!)
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
