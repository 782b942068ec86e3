import { endianness } from 'node:os'
import type { StoredTensor } from './checkpoint/model-config.ts'
import { badFile, SecateurError } from './errors.ts'

interface Matrix {
  readonly rows: number
  readonly columns: number
  /** Distinguishes weights in caches that a back end keeps. */
  readonly id: number
}

/**
 * A matrix [rows, columns] of the base model, row-major, that never changes while LoRA trains. It is not a tensor: back
 * ends read it in whatever form it has, and no gradient of it is ever formed. 16-bit floats are held as their bits.
 */
export type FrozenWeight = Matrix &
  (
    | { readonly form: 'float32'; readonly data: Float32Array }
    | { readonly form: 'float16' | 'bfloat16'; readonly data: Uint16Array }
    /** element = scales[row] * data[row, column] */
    | { readonly form: 'int8'; readonly data: Int8Array; readonly scales: Float32Array }
  )

export type FrozenForm = FrozenWeight['form']

let nextId = 1

/**
 * A stored matrix as a frozen weight, over the same bytes where they are aligned.
 *
 * @throws SecateurError where the tensor is not a matrix or its bytes do not match its shape.
 */
export function frozenWeight(tensor: StoredTensor, file = ''): FrozenWeight {
  const [rows, columns, ...rest] = tensor.shape
  if (rows === undefined || columns === undefined || rest.length > 0)
    throw badFile(file, tensor.name, `a weight matrix has two dimensions, not [${tensor.shape}]`)
  const width = tensor.dtype === 'float32' ? 4 : 2
  if (tensor.bytes.byteLength !== rows * columns * width)
    throw badFile(
      file,
      tensor.name,
      `${tensor.bytes.byteLength} bytes do not hold [${rows}, ${columns}] of ${tensor.dtype}`,
    )
  if (endianness() !== 'LE') throw new SecateurError('unsupported', 'weights are read on little-endian machines only')
  const aligned = tensor.bytes.byteOffset % width === 0 ? tensor.bytes : tensor.bytes.slice()
  const place = [aligned.buffer, aligned.byteOffset, rows * columns] as const
  const matrix = { rows, columns, id: nextId++ }
  return tensor.dtype === 'float32'
    ? { ...matrix, form: 'float32', data: new Float32Array(...place) }
    : { ...matrix, form: tensor.dtype, data: new Uint16Array(...place) }
}

/** A float32 matrix as a frozen weight, without a copy. */
export function frozenFloats(data: Float32Array, rows: number, columns: number): FrozenWeight {
  if (data.length !== rows * columns) throw new RangeError(`${data.length} numbers do not fill [${rows}, ${columns}]`)
  return { rows, columns, form: 'float32', data, id: nextId++ }
}

/** The weight in 8 bits: each row divided by its largest magnitude / 127 and rounded to the nearest integer. */
export function quantise(weight: FrozenWeight): FrozenWeight {
  if (weight.form === 'int8') return weight
  const { rows, columns } = weight
  const data = new Int8Array(rows * columns)
  const scales = new Float32Array(rows)
  const row = new Float32Array(columns)
  for (let r = 0; r < rows; r++) {
    readRow(weight, r, row)
    let largest = 0
    for (let c = 0; c < columns; c++) largest = Math.max(largest, Math.abs(row[c]!))
    const scale = Math.fround(largest / 127)
    scales[r] = scale
    // A row of zeros has scale 0 and stays zero.
    if (scale > 0) for (let c = 0; c < columns; c++) data[r * columns + c] = Math.round(row[c]! / scale)
  }
  return { rows, columns, form: 'int8', data, scales, id: nextId++ }
}

/** The weight in float32 [rows * columns]: its own array where it is float32 already. */
export function toFloat32(weight: FrozenWeight): Float32Array {
  if (weight.form === 'float32') return weight.data
  const { rows, columns } = weight
  const result = new Float32Array(rows * columns)
  for (let row = 0; row < rows; row++) readRow(weight, row, result.subarray(row * columns, (row + 1) * columns))
  return result
}

/** Some rows of a weight, over the same bytes. */
export function rowsOf(weight: FrozenWeight, start: number, rows: number): FrozenWeight {
  if (start < 0 || rows < 0 || start + rows > weight.rows)
    throw new RangeError(`rows ${start} to ${start + rows} are not within [${weight.rows}, ${weight.columns}]`)
  const [from, to] = [start * weight.columns, (start + rows) * weight.columns]
  const matrix = { rows, columns: weight.columns, id: nextId++ }
  switch (weight.form) {
    case 'float32':
      return { ...matrix, form: weight.form, data: weight.data.subarray(from, to) }
    case 'int8': {
      const scales = weight.scales.subarray(start, start + rows)
      return { ...matrix, form: weight.form, data: weight.data.subarray(from, to), scales }
    }
    default:
      return { ...matrix, form: weight.form, data: weight.data.subarray(from, to) }
  }
}

/** Bytes that the weight takes in host memory. */
export const weightBytes = (weight: FrozenWeight): number =>
  weight.data.byteLength + (weight.form === 'int8' ? weight.scales.byteLength : 0)

function readRow(weight: FrozenWeight, row: number, into: Float32Array): void {
  const { columns } = weight
  const start = row * columns
  switch (weight.form) {
    case 'float32':
      into.set(weight.data.subarray(start, start + columns))
      return
    case 'float16':
      into.set(new Float16Array(weight.data.buffer, weight.data.byteOffset + 2 * start, columns))
      return
    case 'bfloat16': {
      const bits = new Uint32Array(into.buffer, into.byteOffset, columns)
      for (let c = 0; c < columns; c++) bits[c] = weight.data[start + c]! << 16
      return
    }
    case 'int8': {
      const scale = weight.scales[row]!
      for (let c = 0; c < columns; c++) into[c] = weight.data[start + c]! * scale
    }
  }
}
