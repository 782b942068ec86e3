import { type Tensor, tf } from '../tf.ts'

export interface AttentionShape {
  rows: number
  /** Positions that ask, and positions that are looked at. */
  queries: number
  keys: number
  heads: number
  keyValueHeads: number
  headSize: number
}

/**
 * Scaled dot-product attention with grouped queries. The scale is expected in the queries already (see `rotaryTable`).
 * Query heads of one key/value head are laid after each other, so that keys and values are never repeated.
 *
 * @param q [rows, queries, heads, headSize]
 * @param k [rows, keys, keyValueHeads, headSize]
 * @param v [rows, keys, keyValueHeads, headSize]
 * @param bias added to the scores: [rows or 1, 1, queries, keys], 0 where a position may look and -1e9 where it may not
 * @returns [rows * queries, heads * headSize]
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, shape: AttentionShape): Tensor {
  const { rows, queries, keys, heads, keyValueHeads, headSize } = shape
  const shared = heads / keyValueHeads
  const batch = rows * keyValueHeads

  const foldQueries = (x: Tensor) =>
    tf.reshape(tf.transpose(tf.reshape(x, [rows, queries, keyValueHeads, shared, headSize]), [0, 2, 3, 1, 4]), [
      batch,
      shared * queries,
      headSize,
    ])
  const unfoldQueries = (x: Tensor) =>
    tf.transpose(tf.reshape(x, [rows, keyValueHeads, shared, queries, headSize]), [0, 3, 1, 2, 4])
  const foldKeys = (x: Tensor) => tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch, keys, headSize])
  const unfoldKeys = (x: Tensor) => tf.transpose(tf.reshape(x, [rows, keyValueHeads, keys, headSize]), [0, 2, 1, 3])
  const probabilities = (foldedQueries: Tensor, foldedKeys: Tensor) => {
    const scores = tf.reshape(tf.matMul(foldedQueries, foldedKeys, false, true), [rows, heads, queries, keys])
    return tf.reshape(tf.softmax(tf.add(scores, bias)), [batch, shared * queries, keys])
  }

  const attend = tf.customGrad((...args) => {
    const [qIn, kIn, vIn, save] = args as unknown as [Tensor, Tensor, Tensor, (saved: Tensor[]) => void]
    const value = unfoldQueries(tf.matMul(probabilities(foldQueries(qIn), foldKeys(kIn)), foldKeys(vIn)))
    save([qIn, kIn, vIn])
    return {
      value: tf.reshape(value, [rows * queries, heads * headSize]),
      gradFunc: (dy, saved) => {
        const [savedQueries, savedKeys, savedValues] = saved as [Tensor, Tensor, Tensor]
        const foldedQueries = foldQueries(savedQueries)
        const foldedKeys = foldKeys(savedKeys)
        const gradient = foldQueries(dy as Tensor)
        // The score matrix is computed again: keeping it would cost rows * heads * length^2 floats a block.
        const p = probabilities(foldedQueries, foldedKeys)
        const dp = tf.matMul(gradient, foldKeys(savedValues), false, true)
        const ds = tf.mul(p, tf.sub(dp, tf.sum(tf.mul(dp, p), -1, true)))
        return [
          tf.reshape(unfoldQueries(tf.matMul(ds, foldedKeys)), savedQueries.shape),
          unfoldKeys(tf.matMul(ds, foldedQueries, true, false)),
          unfoldKeys(tf.matMul(p, gradient, true, false)),
        ]
      },
    }
  })
  return attend(q, k, v)
}
