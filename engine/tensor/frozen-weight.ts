import { endianness } from 'node:os'
import type { StoredTensor } from './stored-tensor.ts'
import { badFile, SecateurError } from '../shared/errors.ts'
import type { Tensor } from './tf.ts'

interface Matrix {
  readonly rows: number
  readonly columns: number
  /** Distinguishes weights in caches that a back end keeps. */
  readonly id: number
}

/** A frozen weight in host memory, row-major; 16-bit floats are held as their bits. */
export type HeldWeight = Matrix &
  (
    | { readonly form: 'float32'; readonly data: Float32Array }
    | { readonly form: 'float16' | 'bfloat16'; readonly data: Uint16Array }
    /** element = scales[row] * data[row, column] */
    | { readonly form: 'int8'; readonly data: Int8Array; readonly scales: Float32Array }
  )

export type FrozenForm = HeldWeight['form']

/** A frozen weight that stays in its file, for back ends that keep weights in memory of their own. */
export type StoredWeight = Matrix & {
  readonly form: FrozenForm
  /** Reads rows first to first + count into new memory. */
  readonly read: (first: number, count: number) => HeldWeight
}

/**
 * A matrix [rows, columns] of the base model that never changes while LoRA trains. It is not a tensor: back ends read it in
 * its stored form, and no gradient of it is ever computed.
 */
export type FrozenWeight = HeldWeight | StoredWeight

/** A base weight [out, in]: frozen and held by the back end as it likes, or a tensor when all weights are trained. */
export type Weight = FrozenWeight | Tensor

let nextId = 1

/**
 * A stored matrix as a frozen weight, over the same bytes where they are aligned.
 *
 * @throws SecateurError where the tensor is not a matrix or its bytes do not match its shape.
 */
export function frozenWeight(tensor: StoredTensor, file = ''): HeldWeight {
  const [rows, columns] = matrixShape(tensor, file)
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

function matrixShape({ name, shape }: Pick<StoredTensor, 'name' | 'shape'>, file: string): [number, number] {
  const [rows, columns, ...rest] = shape
  if (rows === undefined || columns === undefined || rest.length > 0)
    throw badFile(file, name, `a weight matrix has two dimensions, not [${shape}]`)
  return [rows, columns]
}

/**
 * A matrix of a file as a frozen weight that holds no data.
 *
 * @param readRows reads rows first to first + count from the file
 * @param int8 gives rows as `quantise` does, in 8 bits
 * @throws SecateurError where the tensor is not a matrix.
 */
export function storedWeight(
  tensor: Pick<StoredTensor, 'name' | 'dtype'> & { shape: readonly number[]; file: string },
  readRows: (first: number, count: number) => StoredTensor,
  int8: boolean,
): StoredWeight {
  const [rows, columns] = matrixShape({ name: tensor.name, shape: [...tensor.shape] }, tensor.file)
  const read = (first: number, count: number) => {
    const held = frozenWeight(readRows(first, count), tensor.file)
    return int8 ? quantise(held) : held
  }
  return { rows, columns, form: int8 ? 'int8' : tensor.dtype, id: nextId++, read }
}

/** The weight in host memory: the weight itself, or a copy read from its file. */
export const inMemory = (weight: FrozenWeight): HeldWeight => ('read' in weight ? weight.read(0, weight.rows) : weight)

/**
 * A float32 matrix [rows, columns] as a frozen weight, without a copy.
 *
 * @throws RangeError where the array has another length
 */
export function frozenFloats(data: Float32Array, rows: number, columns: number): HeldWeight {
  if (data.length !== rows * columns) throw new RangeError(`${data.length} numbers do not fill [${rows}, ${columns}]`)
  return { rows, columns, form: 'float32', data, id: nextId++ }
}

/** The weight in 8 bits: each row divided by its largest magnitude / 127 and rounded to the nearest integer. */
export function quantise(original: FrozenWeight): HeldWeight {
  const weight = inMemory(original)
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

/** The same weight in other memory. */
export function movedTo(room: { take: (bytes: number) => Uint8Array }, weight: HeldWeight): HeldWeight {
  const place = ({ byteLength }: { byteLength: number }) => {
    const { buffer, byteOffset } = room.take(byteLength)
    return [buffer as ArrayBuffer, byteOffset] as const
  }
  switch (weight.form) {
    case 'float32': {
      const data = new Float32Array(...place(weight.data), weight.data.length)
      data.set(weight.data)
      return { ...weight, data }
    }
    case 'int8': {
      const data = new Int8Array(...place(weight.data), weight.data.length)
      const scales = new Float32Array(...place(weight.scales), weight.scales.length)
      data.set(weight.data)
      scales.set(weight.scales)
      return { ...weight, data, scales }
    }
    default: {
      const data = new Uint16Array(...place(weight.data), weight.data.length)
      data.set(weight.data)
      return { ...weight, data }
    }
  }
}

/** The weight in float32 [rows * columns]: the weight's own array if it is float32 in memory. */
export function toFloat32(original: FrozenWeight): Float32Array {
  const weight = inMemory(original)
  if (weight.form === 'float32') return weight.data
  const { rows, columns } = weight
  const result = new Float32Array(rows * columns)
  for (let row = 0; row < rows; row++) readRow(weight, row, result.subarray(row * columns, (row + 1) * columns))
  return result
}

/**
 * Some rows of a weight, over the same bytes where they are in memory.
 *
 * @throws RangeError where they are not within the weight
 */
export function rowsOf(weight: FrozenWeight, start: number, rows: number): HeldWeight {
  if (start < 0 || rows < 0 || start + rows > weight.rows)
    throw new RangeError(`rows ${start} to ${start + rows} are not within [${weight.rows}, ${weight.columns}]`)
  if ('read' in weight) return weight.read(start, rows)
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

/** Bytes of a row, without its scale. */
export const rowBytes = ({ form, columns }: Pick<FrozenWeight, 'form' | 'columns'>): number =>
  columns * { float32: 4, float16: 2, bfloat16: 2, int8: 1 }[form]

/** Bytes of the weight in memory, with the scales of int8 rows. */
export const weightBytes = (weight: Pick<FrozenWeight, 'form' | 'rows' | 'columns'>): number =>
  weight.rows * (rowBytes(weight) + (weight.form === 'int8' ? 4 : 0))

function readRow(weight: HeldWeight, row: number, into: Float32Array): void {
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
