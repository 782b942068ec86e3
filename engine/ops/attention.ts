import type { AttentionShape } from '../backends/fused-kernels.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { differentiable, fused } from './fused.ts'

/**
 * Scaled dot-product attention with grouped queries. The scale is expected in the queries already: in their rotary table (see
 * `rotaryTable`) or, in a layer without rotary, by `tf.mul`, which gives the same bits as a table without angles.
 * Query heads of one key/value head are laid after each other, so that keys and values are never repeated.
 *
 * @param q [rows, queries, heads, headSize]
 * @param k [rows, keys, keyValueHeads, headSize]
 * @param v [rows, keys, keyValueHeads, headSize]
 * @param bias added to the scores: [rows or 1, 1, queries, keys], 0 where a position may look and -1e9 where it may not
 * @returns [rows * queries, heads * headSize]
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, shape: AttentionShape): Tensor {
  const [context] = differentiable(
    { q, k, v },
    (save) => {
      const results = fused('Attention', { q, k, v, bias }, { shape }, () => [compositeContext(q, k, v, bias, shape)])
      save([q, k, v, ...results])
      return [results[0]!]
    },
    ([dy], saved) => {
      const [dq, dk, dv] = tf.tidy(() => gradients(dy!, saved, bias, shape))
      return { q: () => dq!, k: () => dk!, v: () => dv! }
    },
  )
  return context!
}

function gradients(dy: Tensor, saved: Tensor[], bias: Tensor, shape: AttentionShape): Tensor[] {
  const [q, k, v, context, logSumExp] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor?]
  const inputs = { dy, q, k, v, bias, context, ...(logSumExp && { logSumExp }) }
  return fused('AttentionGrad', inputs, { shape }, () => compositeGradients(dy, q, k, v, bias, shape))
}

function compositeContext(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, shape: AttentionShape): Tensor {
  const { foldQueries, unfoldQueries, foldKeys, probabilities } = folding(bias, shape)
  const value = unfoldQueries(tf.matMul(probabilities(foldQueries(q), foldKeys(k)), foldKeys(v)))
  return tf.reshape(value, [shape.rows * shape.queries, shape.heads * shape.headSize])
}

function compositeGradients(
  dy: Tensor,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  bias: Tensor,
  shape: AttentionShape,
): Tensor[] {
  const { foldQueries, unfoldQueries, foldKeys, unfoldKeys, probabilities } = folding(bias, shape)
  const foldedQueries = foldQueries(q)
  const foldedKeys = foldKeys(k)
  const gradient = foldQueries(dy)
  // The score matrix is computed again: keeping it would cost rows * heads * length^2 floats a block.
  const p = probabilities(foldedQueries, foldedKeys)
  const dp = tf.matMul(gradient, foldKeys(v), false, true)
  const ds = tf.mul(p, tf.sub(dp, tf.sum(tf.mul(dp, p), -1, true)))
  return [
    tf.reshape(unfoldQueries(tf.matMul(ds, foldedKeys)), q.shape),
    unfoldKeys(tf.matMul(ds, foldedQueries, true, false)),
    unfoldKeys(tf.matMul(p, gradient, true, false)),
  ]
}

/** The ways between [rows, length, heads, headSize] and batches of matrices, one a key/value head. */
function folding(bias: Tensor, { rows, queries, keys, heads, keyValueHeads, headSize }: AttentionShape) {
  const shared = heads / keyValueHeads
  const batch = rows * keyValueHeads
  return {
    foldQueries: (x: Tensor) =>
      tf.reshape(tf.transpose(tf.reshape(x, [rows, queries, keyValueHeads, shared, headSize]), [0, 2, 3, 1, 4]), [
        batch,
        shared * queries,
        headSize,
      ]),
    unfoldQueries: (x: Tensor) =>
      tf.transpose(tf.reshape(x, [rows, keyValueHeads, shared, queries, headSize]), [0, 3, 1, 2, 4]),
    foldKeys: (x: Tensor) => tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch, keys, headSize]),
    unfoldKeys: (x: Tensor) => tf.transpose(tf.reshape(x, [rows, keyValueHeads, keys, headSize]), [0, 2, 1, 3]),
    probabilities: (foldedQueries: Tensor, foldedKeys: Tensor) => {
      const scores = tf.reshape(tf.matMul(foldedQueries, foldedKeys, false, true), [rows, heads, queries, keys])
      return tf.reshape(tf.softmax(tf.add(scores, bias)), [batch, shared * queries, keys])
    },
  }
}
