import { type Tensor, tf } from '../tensor/tf.ts'
import { differentiable, fused } from './fused.ts'

/**
 * Sum over rows of -log softmax(logits)[label], divided by `divisor`. Rows whose label is -1 are ignored.
 *
 * @param logits [n, vocabulary]
 * @param labels int32 [n]
 * @param divisor scalar: the number of labels that the mean is over, which may span several calls
 * @returns scalar
 */
export function crossEntropy(logits: Tensor, labels: Tensor, divisor: Tensor): Tensor {
  const [loss] = differentiable(
    { logits },
    (save) => {
      const [value, ...extra] = lossOfLogits(logits, labels, divisor)
      save([logits, ...extra])
      return [value!]
    },
    ([dy], [savedLogits, logSumExp]) => ({
      logits: () => logitsGradient(dy!, savedLogits!, labels, divisor, logSumExp),
    }),
  )
  return loss!
}

/** The loss, and logSumExp [n] where a kernel computes it for the gradient. */
export const lossOfLogits = (logits: Tensor, labels: Tensor, divisor: Tensor): Tensor[] =>
  fused('CrossEntropy', { logits, labels, divisor }, {}, () => {
    const chosen = tf.mul(tf.logSoftmax(logits), oneHot(labels, logits.shape[1]!))
    return [tf.neg(tf.div(tf.sum(chosen), divisor))]
  })

/** Gradient with respect to the logits: [n, vocabulary]. */
export function logitsGradient(
  dy: Tensor,
  logits: Tensor,
  labels: Tensor,
  divisor: Tensor,
  logSumExp?: Tensor,
): Tensor {
  const inputs = { dy, logits, labels, divisor, ...(logSumExp && { logSumExp }) }
  const [gradient] = fused('CrossEntropyGrad', inputs, {}, () => {
    const valid = tf.cast(tf.greaterEqual(labels, tf.scalar(0, 'int32')), 'float32')
    const weight = tf.expandDims(tf.mul(valid, tf.div(dy, divisor)), 1)
    return [tf.mul(tf.sub(tf.softmax(logits), oneHot(labels, logits.shape[1]!)), weight)]
  })
  return gradient!
}

/** The one-hot row of label -1 is all zeros. */
const oneHot = (labels: Tensor, size: number) => tf.cast(tf.oneHot(labels as never, size) as Tensor, 'float32')

/**
 * log softmax(logits)[label] of every row: [n].
 *
 * @param logits [n, vocabulary]
 * @param labels int32 [n], each within the vocabulary
 */
export function labelLogLikelihoods(logits: Tensor, labels: Tensor): Tensor {
  const [result] = fused('LabelLogLikelihoods', { logits, labels }, {}, () => {
    const shifted = tf.sub(logits, tf.max(logits, 1, true))
    const chosen = tf.mul(shifted, oneHot(labels, logits.shape[1]!))
    return [tf.sub(tf.sum(chosen, 1), tf.log(tf.sum(tf.exp(shifted), 1)))]
  })
  return result!
}
