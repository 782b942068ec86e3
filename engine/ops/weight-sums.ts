import type { Weight } from '../tensor/frozen-weight.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { sizeOf, tileElements, tileOf } from './importance.ts'
import type { LowRank } from './linear.ts'

/**
 * Sums of a function of the merged weight W + scale * B A over the columns of each row ([out]) or over the rows of each
 * column ([in]). The weight is walked in tiles of rows.
 *
 * @param f of some rows [rows, in] of the merged weight, the first of which is number `start`
 */
export function weightSums(
  weight: Weight,
  adapter: LowRank | undefined,
  along: 'rows' | 'columns',
  f: (merged: Tensor, start: number, rows: number) => Tensor,
): Tensor {
  return tf.tidy(() => {
    const [outputs, inputs] = sizeOf(weight)
    const sums: Tensor[] = []
    const step = Math.max(1, Math.floor(tileElements / inputs))
    for (let start = 0; start < outputs; start += step) {
      const rows = Math.min(step, outputs - start)
      const merged = mergedRows(weight, adapter, start, rows)
      sums.push(tf.sum(f(merged, start, rows), along === 'rows' ? 1 : 0))
    }
    return along === 'rows' ? tf.concat(sums, 0) : tf.addN(sums)
  })
}

/** Rows `start` to `start + rows` of W + scale * B A: [rows, in]. */
export function mergedRows(weight: Weight, adapter: LowRank | undefined, start: number, rows: number): Tensor {
  const tile = tileOf(weight, start, rows)
  if (!adapter) return tile
  return tf.add(tile, tf.mul(tf.matMul(rowsOf(adapter.b, start, rows), adapter.a), adapter.scale))
}

export const rowsOf = (matrix: Tensor, start: number, rows: number): Tensor =>
  tf.slice(matrix, [start, 0], [rows, matrix.shape[1]!])
