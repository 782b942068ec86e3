import type { AttentionShape } from '../../fused-kernels.ts'
import { bankOf, scratch } from './bank.ts'
import { productArguments } from './product-kernel.ts'
import { inBlocks, mostRows, spread } from './product.ts'

interface Operands {
  /** [rows, 1, heads, headSize] */
  q: Float32Array
  /** [rows, keys, keyValueHeads, headSize], in a bank */
  k: Float32Array
  v: Float32Array
  /** [rows or 1, 1, 1, keys]: 0 where a row looks, far below it where it does not */
  bias: Float32Array
}

/**
 * Attention of one query a row over a cache; see `Attention` in `fused-kernels.ts`.
 *
 * @returns whether `context` [rows, heads * headSize] was written: not where keys are elsewhere or rows look here and there
 */
export function attendOnce({ q, k, v, bias }: Operands, shape: AttentionShape, context: Float32Array): boolean {
  const { rows, queries, keys, heads, keyValueHeads, headSize } = shape
  const bank = bankOf(k)
  const shared = heads / keyValueHeads
  const width = inBlocks(headSize)
  if (!bank || bankOf(v) !== bank || queries !== 1 || rows > mostRows) return false
  const out = scratch.y + 4 * shared * keys
  if (out + 4 * width > scratch.end || scratch.x + 4 * shared * width > scratch.xEnd) return false
  const seen = Array.from({ length: rows }, (_, row) => sight(bias, bias.length > keys ? row * keys : 0, keys))
  if (seen.includes(null)) return false
  const { floats, kernels } = bank
  const stride = 4 * keyValueHeads * headSize
  const given = {
    x: scratch.x,
    xStride: 4 * width,
    wStride: stride,
    wBytes: 4 * width,
    scales: 0,
    y: scratch.y,
    from: 0,
  }
  for (const [row, range] of seen.entries()) {
    const [first, count] = range!
    for (let head = 0; head < keyValueHeads; head++) {
      const start = (row * heads + head * shared) * headSize
      spread(q.subarray(start, start + shared * headSize), shared, headSize, floats)
      const at = 4 * ((row * keys + first) * keyValueHeads + head) * headSize
      const ofHead = { ...given, rows: shared, w: k.byteOffset + at, yStride: 4 * count, to: 4 * count }
      kernels.float32(...productArguments(ofHead))
      for (let query = 0; query < shared; query++) {
        const p = scratch.y + 4 * query * count
        const sum = exponentials(floats, p / 4, count)
        kernels.mix(p, p + 4 * count, v.byteOffset + at, stride, out, out + 4 * width)
        for (let i = 0; i < headSize; i++) context[start + query * headSize + i] = floats[out / 4 + i]! / sum
      }
    }
  }
  return true
}

/** The first place that a row looks at, and how many it looks at; null where others lie between them. */
function sight(bias: Float32Array, start: number, keys: number): [number, number] | null {
  let first = 0
  while (first < keys && bias[start + first] !== 0) first++
  let end = first
  while (end < keys && bias[start + end] === 0) end++
  for (let key = end; key < keys; key++) if (bias[start + key] === 0) return null
  return end > first ? [first, end - first] : null
}

/** Puts exponentials of the values, less the largest, in their place; their sum. */
function exponentials(values: Float32Array, start: number, count: number): number {
  let most = -Infinity
  for (let i = start; i < start + count; i++) if (values[i]! > most) most = values[i]!
  let sum = 0
  for (let i = start; i < start + count; i++) sum += values[i] = Math.exp(values[i]! - most)
  return sum
}
