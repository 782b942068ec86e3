import { type Tensor, tf } from '../tensor/tf.ts'
import type { DistilSettings } from './distil-loss.ts'
import type { Head } from './head.ts'
import { frozenProduct } from './linear.ts'
import { normalised, normGradient } from './rms-norm.ts'

/** The tokens that a teacher finds likeliest in each of n rows, in the memory of the computer. */
export interface TopRows {
  /** Of each row. */
  k: number
  /** [n, k], all of a row different. */
  ids: Int32Array
  /** Their probabilities at the temperature of the teacher's part [n, k]. */
  shares: Float32Array
}

/** Least probability of the tokens that are not among the likeliest: a float32 cannot tell what is left of 1 from less. */
const leastRest = 1e-6

/**
 * As `distilLossOfLogits`, of the teacher's k likeliest tokens and one bucket of all others: KL between (q_1, ..., q_k, rest of
 * q) and (p_1, ..., p_k, rest of p), which is never above the whole divergence and has the same least. Shares that are scaled
 * up to 1 instead would teach the student to be surer than its teacher (Anshumann et al., arXiv 2503.16870, of top-k alone).
 *
 * The gradient at the student's logits is p - q with the bucket's share of q spread as p is: share T (p - q) at the k tokens
 * and share T p (1 - rest of q / rest of p) at all others, beside (1 - share)(p - label).
 *
 * @param logits the student's, [n, vocabulary]
 * @param labels int32 [n]; rows whose label is -1 are ignored
 */
export function topLossOfLogits(
  logits: Tensor,
  { k, ids, shares }: TopRows,
  labels: Tensor,
  divisor: Tensor,
  { share, temperature }: DistilSettings,
): [loss: Tensor, gradient: Tensor] {
  const [n, size] = logits.shape as [number, number]
  const column = tf.expandDims(tf.maximum(labels, tf.scalar(0, 'int32')), 1)
  const weight = tf.expandDims(tf.div(tf.cast(tf.greaterEqual(labels, tf.scalar(0, 'int32')), 'float32'), divisor), 1)
  const likeliest = tf.tensor2d(ids, [n, k], 'int32')
  const q = tf.tensor2d(shares, [n, k])

  const log = tf.logSoftmax(logits)
  const cool = temperature === 1 ? log : tf.logSoftmax(tf.mul(logits, 1 / temperature))
  const logP = tf.gather(cool, likeliest, 1, 1)
  const p = tf.exp(logP)
  const [restP, restQ] = [restOf(p), restOf(q)]
  const apart = tf.sum(tf.mul(q, tf.sub(tf.log(tf.maximum(q, 1e-30)), logP)), 1, true)
  const divergence = tf.add(apart, tf.mul(restQ, tf.log(tf.div(restQ, restP))))
  const surprise = tf.neg(tf.gather(log, column, 1, 1))
  const loss = tf.add(tf.mul(divergence, share * temperature ** 2), tf.mul(surprise, 1 - share))

  const others = tf.mul(tf.sub(1, tf.div(restQ, restP)), share * temperature)
  const fromTeacher = tf.mul(tf.exp(cool), others)
  const spread = share === 1 ? fromTeacher : tf.add(fromTeacher, tf.mul(tf.exp(log), 1 - share))
  // What stands at the k tokens already, taken back, and what belongs there; and the label.
  const atTop = tf.sub(tf.mul(tf.sub(p, q), share * temperature), tf.mul(p, others))
  const places = tf.reshape(tf.concat([likeliest, column], 1), [n * (k + 1)])
  const rows = tf.tensor1d(
    Int32Array.from({ length: n * (k + 1) }, (_, at) => Math.floor(at / (k + 1))),
    'int32',
  )
  const changes = tf.reshape(tf.concat([atTop, tf.mul(tf.ones([n, 1]), share - 1)], 1), [n * (k + 1)])
  const gradient = tf.add(spread, tf.scatterND(tf.stack([rows, places], 1), changes, [n, size]))
  return [tf.sum(tf.mul(loss, weight)), tf.mul(gradient, weight)]
}

/** What some probabilities of each row [n, k] leave of 1: [n, 1]. */
const restOf = (all: Tensor): Tensor => tf.maximum(tf.sub(1, tf.sum(all, 1, true)), leastRest)

/** The same of the last block's output x [n, hidden] and its head, with the gradient with respect to x. */
export function topHeadLoss(
  x: Tensor,
  head: Head,
  top: TopRows,
  labels: Tensor,
  divisor: Tensor,
  settings: DistilSettings,
): Tensor[] {
  const [normed, inverse] = normalised(x, head.norm, head.epsilon)
  const logits = frozenProduct(normed, head.weight, false)
  const [loss, dLogits] = topLossOfLogits(logits, top, labels, divisor, settings)
  return [loss, normGradient(frozenProduct(dLogits, head.weight, true), x, head.norm, inverse)]
}

/** The rows `start` to `start + count` of a teacher's. */
export const topSlice = ({ k, ids, shares }: TopRows, start: number, count: number): TopRows => ({
  k,
  ids: ids.subarray(start * k, (start + count) * k),
  shares: shares.subarray(start * k, (start + count) * k),
})

/**
 * The k likeliest tokens of each row of logits, and their probabilities at a temperature.
 *
 * @param logits [n, vocabulary]
 * @param top takes them, from row `at` on
 */
export function findTop(logits: Float32Array, vocabulary: number, temperature: number, top: TopRows, at: number): void {
  const { k } = top
  for (let row = 0; row * vocabulary < logits.length; row++) {
    const scores = logits.subarray(row * vocabulary, (row + 1) * vocabulary)
    const ids = top.ids.subarray((at + row) * k, (at + row + 1) * k)
    const shares = top.shares.subarray((at + row) * k, (at + row + 1) * k)
    pickLargest(scores, ids)
    const largest = scores[ids[0]!]!
    let sum = 0
    for (const score of scores) sum += Math.exp((score - largest) / temperature)
    for (const [place, id] of ids.entries()) shares[place] = Math.exp((scores[id]! - largest) / temperature) / sum
  }
}

/** Fills `ids` with those of the largest scores, the largest first; of equal ones the first counts. */
function pickLargest(scores: Float32Array, ids: Int32Array): void {
  let count = 0
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id]!
    if (count === ids.length && !(score > scores[ids[count - 1]!]!)) continue
    if (count < ids.length) count++
    let place = count - 1
    while (place > 0 && score > scores[ids[place - 1]!]!) {
      ids[place] = ids[place - 1]!
      place--
    }
    ids[place] = id
  }
}
