import { fromFloat32, toFloat32 } from '../../checkpoint/dtype.ts'
import { type TensorTypeName, tensorTypes } from '../../checkpoint/gguf/types.ts'
import type { WeightType } from '../../tensor/stored-tensor.ts'
import { encodeQ4_0, encodeQ5_0, encodeQ5_1, encodeQ8_0 } from './blocks.ts'
import { encodeCompensated, isSymmetric } from './compensated-blocks.ts'
import type { Feedback } from './feedback.ts'
import { encodeQ4_K, encodeQ5_K, encodeQ6_K } from './k-blocks.ts'
import { weightsBySize, weightsByUse } from './weights.ts'

/** Rows of a tensor that become rows of another type; plain data, for it goes to a thread. */
export interface EncodeTask {
  /** Rows of the source as they are stored. */
  bytes: Uint8Array
  dtype: WeightType
  /** Numbers in a row of the source. */
  columns: number
  /** For each row that is made the number of the source's row, -1 for zeros; null: all rows as they are. */
  rows: Int32Array | null
  /** The same for its columns. */
  places: Int32Array | null
  /** (w + added) * factor is encoded for every number w. */
  added: number
  factor: number
  type: TensorTypeName
  /** What is known of what the rows are multiplied with, in the order of the file's columns; null: nothing. */
  known?: Known | null
}

export interface Known {
  /** Sums of squares of each column's feature. */
  squares: Float32Array
  /** Where their products are known too. */
  feedback: Feedback | null
}

/** What became of a task: the rows' bytes, or why a number cannot be written. */
export type Encoded = { bytes: Uint8Array<ArrayBuffer> } | { message: string }

const weightTypes: Partial<Record<TensorTypeName, WeightType>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' }
/** Writes blocks of numbers; where the error of some counts more than that of others, with what each counts. */
type Encoder = (x: Float32Array, out: Uint8Array, weights: Float32Array) => void

/** Types whose bytes are those of llama.cpp: there the largest number decides, and no error is weighed. */
const fixed: Partial<Record<TensorTypeName, (x: Float32Array, out: Uint8Array) => void>> = {
  Q8_0: encodeQ8_0,
  Q4_0: encodeQ4_0,
  Q5_0: encodeQ5_0,
  Q5_1: encodeQ5_1,
}
const fitted: Partial<Record<TensorTypeName, Encoder>> = { Q4_K: encodeQ4_K, Q5_K: encodeQ5_K, Q6_K: encodeQ6_K }
/** Largest finite float16; scales are float16 as well. */
const largestHalf = 65_504

/** Rows in the type that is asked for. */
export function encode(task: EncodeTask): Encoded {
  const values = gather(task)
  const { type } = task
  const dtype = weightTypes[type]
  if (type !== 'F32' && type !== 'BF16' && isBeyond(values))
    return { message: `has numbers too large for ${type}; write bf16 or f32` }
  if (dtype) return { bytes: ownBytes(fromFloat32(values, dtype)) }
  const { weights, bytes: blockBytes } = tensorTypes[type]
  const bytes = new Uint8Array((values.length / weights) * blockBytes)
  const [exact, fit] = [fixed[type], fitted[type]]
  const { known } = task
  if (known?.feedback && isSymmetric(type)) encodeCompensated(values, bytes, type, known.feedback)
  else if (exact) exact(values, bytes)
  else if (fit) fit(values, bytes, known ? weightsByUse(values, known.squares) : weightsBySize(values))
  else throw new RangeError(`${type} is not written`)
  return { bytes }
}

/** A loop, since calling a function for every number takes longer than rounding it does. */
function isBeyond(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if (Math.abs(values[i]!) > largestHalf) return true
  return false
}

const ownBytes = (bytes: Uint8Array): Uint8Array<ArrayBuffer> =>
  bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes)

/** The numbers to encode, row by row. */
function gather({ added, factor, ...task }: EncodeTask): Float32Array<ArrayBuffer> {
  const source = toFloat32(task)
  const values = task.rows === null && task.places === null ? source : placed(source, task)
  return added === 0 && factor === 1 ? values : values.map((value) => (value + added) * factor)
}

function placed(source: Float32Array, { columns, rows, places }: Pick<EncodeTask, 'columns' | 'rows' | 'places'>) {
  const count = rows?.length ?? source.length / columns
  const width = places?.length ?? columns
  const values = new Float32Array(count * width)
  for (let row = 0; row < count; row++) {
    const from = rows ? rows[row]! : row
    if (from < 0) continue
    const line = source.subarray(from * columns, (from + 1) * columns)
    if (places === null) values.set(line, row * width)
    else for (let i = 0; i < width; i++) values[row * width + i] = places[i]! < 0 ? 0 : line[places[i]!]!
  }
  return values
}
