import type { Weight } from '../tensor/frozen-weight.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { fused, runFused } from './fused.ts'

/** Elements of a tile: small enough that every pass over it stays in the cache. */
export const tileElements = 2 ** 18

/** Rows of a weight in float32, as a tensor [rows, in]. */
export function tileOf(weight: Weight, start: number, rows: number): Tensor {
  if ('dataId' in weight) return tf.slice(weight, [start, 0], [rows, weight.shape[1]!])
  return runFused('FrozenTile', {}, { weight, start, rows })[0]!
}
/** [out, in] */
export const sizeOf = (weight: Weight): [number, number] =>
  'dataId' in weight ? (weight.shape as [number, number]) : [weight.rows, weight.columns]

/**
 * Sums of |g_hat * W_m|^power over the columns of each row of a weight ([out]) or over the rows of each column ([in]),
 * where g_hat = gB A + B gA - gB gA = [gB, B - gB] [A; gA] and W_m = W + scale * B A. W is walked in tiles of rows, so that
 * no matrix of the weight's size is formed (arXiv 2305.18403, section 3.3).
 */
export function adapterImportance(
  weight: Weight,
  adapter: { a: Tensor; b: Tensor },
  gradient: { a: Tensor; b: Tensor },
  scale: number,
  power: 1 | 2,
  along: 'rows' | 'columns',
): Tensor {
  const inputs = { a: adapter.a, b: adapter.b, gradientA: gradient.a, gradientB: gradient.b }
  return tf.tidy(() => {
    const [sums] = fused('GroupImportance', inputs, { weight, scale, power, along }, () => [
      compositeImportance(weight, adapter, gradient, scale, power, along),
    ])
    return sums!
  })
}

function compositeImportance(
  weight: Weight,
  adapter: { a: Tensor; b: Tensor },
  gradient: { a: Tensor; b: Tensor },
  scale: number,
  power: 1 | 2,
  along: 'rows' | 'columns',
): Tensor {
  const [outputs, inputs] = sizeOf(weight)
  const right = tf.concat([adapter.a, gradient.a], 0)
  const left = tf.concat([gradient.b, tf.sub(adapter.b, gradient.b)], 1)
  const scaled = tf.mul(adapter.b, scale)
  const sums: Tensor[] = []
  const tile = Math.max(1, Math.floor(tileElements / inputs))
  for (let start = 0; start < outputs; start += tile) {
    const rows = Math.min(tile, outputs - start)
    const slice = (matrix: Tensor) => tf.slice(matrix, [start, 0], [rows, matrix.shape[1]!])
    const merged = tf.add(tileOf(weight, start, rows), tf.matMul(slice(scaled), adapter.a))
    const product = tf.mul(tf.matMul(slice(left), right), merged)
    sums.push(tf.sum(power === 1 ? tf.abs(product) : tf.square(product), along === 'rows' ? 1 : 0))
  }
  return along === 'rows' ? tf.concat(sums, 0) : tf.addN(sums)
}
