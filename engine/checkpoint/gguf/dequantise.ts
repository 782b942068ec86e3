import { SecateurError } from '../../shared/errors.ts'
import type { StoredTensor, WeightType } from '../../tensor/stored-tensor.ts'
import { q2_K, q3_K, q4_K, q5_K, q6_K } from './dequantise-k.ts'
import { type Dequantise, iq4_nl, iq4_xs, q4_0, q4_1, q5_0, q5_1, q8_0 } from './dequantise-plain.ts'
import { tensorTypes, type TensorTypeName } from './types.ts'

/** Types that are read as they are stored. */
const plain: Partial<Record<TensorTypeName, WeightType>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' }

const readers: Partial<Record<TensorTypeName, Dequantise>> = {
  Q4_0: q4_0,
  Q4_1: q4_1,
  Q5_0: q5_0,
  Q5_1: q5_1,
  Q8_0: q8_0,
  Q2_K: q2_K,
  Q3_K: q3_K,
  Q4_K: q4_K,
  Q5_K: q5_K,
  Q6_K: q6_K,
  IQ4_NL: iq4_nl,
  IQ4_XS: iq4_xs,
}

/** Types that are read, for messages. */
const readNames = [...Object.keys(plain), ...Object.keys(readers)].join(', ')

/** Whether numbers of a type stand for weights that were rounded to a block's scale. */
export const isQuantised = (type: TensorTypeName): boolean => readers[type] !== undefined

/**
 * The type of the numbers that `dequantise` gives: their own, or float32, which holds every quantised number exactly.
 *
 * @throws SecateurError where the type is not read; `file` and `tensor` say whose it is
 */
export function dequantisedType(type: TensorTypeName, file: string, tensor: string): WeightType {
  const dtype = plain[type] ?? (readers[type] && 'float32')
  if (dtype !== undefined) return dtype
  throw new SecateurError('unsupported', `is ${type}, which is not read; read are ${readNames}`, {
    file,
    field: tensor,
  })
}

/**
 * The numbers of whole blocks as the bytes of `dequantisedType`: the same memory where they are stored so.
 *
 * @throws RangeError where `bytes` are no whole blocks
 */
export function dequantise(type: TensorTypeName, bytes: Uint8Array): Pick<StoredTensor, 'dtype' | 'bytes'> {
  const dtype = plain[type]
  if (dtype !== undefined) return { dtype, bytes }
  const { weights, bytes: blockBytes } = tensorTypes[type]
  const blocks = bytes.length / blockBytes
  const reader = readers[type]
  if (!reader || !Number.isInteger(blocks)) throw new RangeError(`${bytes.length} bytes are no blocks of ${type}`)
  const values = new Float32Array(blocks * weights)
  reader(bytes, values)
  return { dtype: 'float32', bytes: new Uint8Array(values.buffer) }
}
