import { type Tensor, tf } from '../tensor/tf.ts'

export interface AttendingShape {
  rows: number
  length: number
  heads: number
  keyValueHeads: number
  headSize: number
}

/**
 * What heads read through values: the average of the values' inputs by the attention of a head, for every token of one head,
 * a different one from token to token. An error of the values' weights counts by these averages, in which a first token that
 * all others look at is more than one of many.
 *
 * @param x [rows * length, hidden]
 * @param attend averages of values [rows, length, keyValueHeads, headSize]: [rows * length, heads * headSize]
 * @returns [rows * length, hidden]
 */
export function attendedInputs(x: Tensor, attend: (values: Tensor) => Tensor, shape: AttendingShape): Tensor {
  const { rows, length, heads, keyValueHeads, headSize } = shape
  const [tokens, hidden] = x.shape as [number, number]
  const parts = Math.ceil(hidden / headSize)
  const wide = tf.pad(x, [
    [0, 0],
    [0, parts * headSize - hidden],
  ])
  const own = tf.tensor1d(
    Int32Array.from({ length: tokens }, (_, token) => token * heads + (token % heads)),
    'int32',
  )
  const averages = Array.from({ length: parts }, (_, part) => {
    const values = tf.slice(wide, [0, part * headSize], [tokens, headSize])
    const all = attend(tf.tile(tf.reshape(values, [rows, length, 1, headSize]), [1, 1, keyValueHeads, 1]))
    return tf.gather(tf.reshape(all, [tokens * heads, headSize]), own)
  })
  return tf.slice(tf.concat(averages, 1), [0, 0], [tokens, hidden])
}
