import type { FrozenWeight, HeldWeight } from '../../../tensor/frozen-weight.ts'
import { type Bank, bankOf, scratch } from './bank.ts'
import type { Crew } from './crew.ts'
import { blockSize, numberBytes, type ProductName } from './decode.ts'
import { type SmallWeights, smallWeights } from './small-weights.ts'

/** Rows that are multiplied at once at most: with more, what matrices are multiplied with elsewhere is faster. */
export const mostRows = 16
/** The same where nothing has to widen the weight first. */
const mostFloatRows = 8

/** Whole blocks that hold so many numbers. */
export const inBlocks = (size: number): number => Math.ceil(size / blockSize) * blockSize

/**
 * x W^T [rows, outputs] of few rows, from the weight as it is stored; null where it does not lie in a bank, or rows are too many.
 *
 * @param x [rows, inputs]
 */
export function fewRowsProduct(x: Float32Array, rows: number, weight: FrozenWeight, crew: Crew): Float32Array | null {
  if (rows > (weight.form === 'float32' ? mostFloatRows : mostRows) || 'read' in weight) return null
  const bank = bankOf(weight.data)
  const { rows: outputs, columns, form } = weight
  const width = inBlocks(columns)
  if (!bank || scratch.x + 4 * rows * width > scratch.xEnd || scratch.y + 4 * rows * outputs > scratch.end) return null
  const scales = form === 'int8' ? weight.scales : null
  if (scales && bankOf(scales) !== bank) return null
  spread(x, rows, columns, bank.floats)
  const { name, small } = productOf(weight, bank)
  const bytes = numberBytes[name]
  const strides = { xStride: 4 * width, wStride: bytes * columns, wBytes: bytes * width, yStride: 4 * outputs }
  const places = { x: scratch.x, w: weight.data.byteOffset, scales: scales?.byteOffset ?? 0, y: scratch.y }
  crew.product(bank, name, { ...places, ...strides, rows }, outputs)
  if (small) {
    for (let row = 0; row < rows; row++)
      bank.kernels.addEntries(small.start, small.end, scratch.x + 4 * row * width, scratch.y + 4 * row * outputs)
  }
  return bank.floats.subarray(scratch.y / 4, scratch.y / 4 + rows * outputs)
}

const known = new WeakMap<HeldWeight, SmallWeights | null>()

/** The kernel that multiplies a weight, and the weights that it takes for others. */
function productOf(weight: HeldWeight, bank: Bank): { name: ProductName; small: SmallWeights | null } {
  if (weight.form !== 'float16') return { name: weight.form, small: null }
  let small = known.get(weight)
  if (small === undefined) known.set(weight, (small = smallWeights(weight.data, weight.columns, bank)))
  return { name: small ? 'float16' : 'subnormal16', small }
}

/** Puts rows where kernels read them, each with zeros after it up to whole blocks. */
export function spread(x: Float32Array, rows: number, columns: number, floats: Float32Array): void {
  const width = inBlocks(columns)
  for (let row = 0; row < rows; row++) {
    const start = scratch.x / 4 + row * width
    floats.set(rows === 1 ? x : x.subarray(row * columns, (row + 1) * columns), start)
    floats.fill(0, start + columns, start + width)
  }
}
