import type { TrainingBatch } from '../../data/batches.ts'
import type { Adapter } from '../../lora/adapter.ts'
import type { Model } from '../../models/family.ts'
import { type Tensor, tf } from '../../tensor/tf.ts'
import { watchBlocks } from './activations.ts'

/** Sums over tokens from which a linear fit of y to x follows. */
interface Moments {
  tokens: number
  x: Float64Array
  y: Float64Array
  /** x^T x and x^T y, [hidden, hidden] row-major. */
  xx: Float64Array
  xy: Float64Array
  /** Sum of all y^2. */
  yy: number
}

/**
 * How well a linear map reproduces each block: 1 - min over L of ||Y - X L||^2 with input X and output Y of the block
 * centred and divided by their Frobenius norms (Razzhigaev et al., arXiv 2405.12250). 1 is perfectly linear. There should
 * be many more tokens than hidden features: with fewer any map is fitted.
 */
export function blockLinearity(
  model: Model,
  adapter: Adapter | undefined,
  batches: readonly TrainingBatch[],
): number[] {
  const { hiddenSize } = model.config
  const moments = model.layers.map(() => emptyMoments(hiddenSize))
  watchBlocks(model, adapter, batches, undefined, { block: (layer, x, y) => addMoments(moments[layer]!, x, y) })
  return moments.map((sums) => linearity(sums, hiddenSize))
}

const emptyMoments = (size: number): Moments => ({
  tokens: 0,
  x: new Float64Array(size),
  y: new Float64Array(size),
  xx: new Float64Array(size * size),
  xy: new Float64Array(size * size),
  yy: 0,
})

function addMoments(moments: Moments, x: Tensor, y: Tensor): void {
  const parts = tf.tidy(() => [
    tf.sum(x, 0),
    tf.sum(y, 0),
    tf.matMul(x, x, true, false),
    tf.matMul(x, y, true, false),
    tf.sum(tf.square(y)),
  ])
  const [sumX, sumY, xx, xy, yy] = parts.map((part) => part.dataSync())
  tf.dispose(parts)
  addTo(moments.x, sumX!)
  addTo(moments.y, sumY!)
  addTo(moments.xx, xx!)
  addTo(moments.xy, xy!)
  moments.yy += yy![0]!
  moments.tokens += x.shape[0]!
}

function addTo(sums: Float64Array, more: ArrayLike<number>): void {
  for (let i = 0; i < sums.length; i++) sums[i]! += more[i]!
}

/** The share of the centred output's squares that the best linear map of the centred input explains. */
function linearity({ tokens, x, y, xx, xy, yy }: Moments, size: number): number {
  const covariance = new Float64Array(size * size)
  const cross = new Float64Array(size * size)
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++) {
      covariance[i * size + j] = xx[i * size + j]! - (x[i]! * x[j]!) / tokens
      cross[i * size + j] = xy[i * size + j]! - (x[i]! * y[j]!) / tokens
    }
  const total = yy - y.reduce((sum, value) => sum + value * value, 0) / tokens
  // Directions that hardly vary are left out of the fit: sums in 32 bits say nothing of them.
  let trace = 0
  for (let i = 0; i < size; i++) trace += covariance[i * size + i]!
  for (let i = 0; i < size; i++) covariance[i * size + i]! += (1e-6 * trace) / size
  const factor = cholesky(covariance, size)
  // With covariance = F F^T, cross^T covariance^-1 cross has the trace ||F^-1 cross||^2.
  let explained = 0
  const column = new Float64Array(size)
  for (let j = 0; j < size; j++) {
    for (let i = 0; i < size; i++) {
      let value = cross[i * size + j]!
      for (let k = 0; k < i; k++) value -= factor[i * size + k]! * column[k]!
      column[i] = value / factor[i * size + i]!
      explained += column[i]! ** 2
    }
  }
  return Math.min(1, explained / total)
}

/** The lower factor F of a positive definite matrix F F^T. */
function cholesky(matrix: Float64Array, size: number): Float64Array {
  const factor = new Float64Array(size * size)
  for (let i = 0; i < size; i++)
    for (let j = 0; j <= i; j++) {
      let value = matrix[i * size + j]!
      for (let k = 0; k < j; k++) value -= factor[i * size + k]! * factor[j * size + k]!
      factor[i * size + j] = i === j ? Math.sqrt(Math.max(value, 1e-30)) : value / factor[j * size + j]!
    }
  return factor
}
