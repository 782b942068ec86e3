import { type Tensor, tf } from '../tf.ts'

/**
 * Sum over rows of -log softmax(logits)[label], divided by `divisor`. A label of -1 takes no part.
 *
 * @param logits [n, vocabulary]
 * @param labels int32 [n]
 * @param divisor scalar: the number of labels that the mean is over, which may span several calls
 */
export function crossEntropy(logits: Tensor, labels: Tensor, divisor: Tensor): Tensor {
  const vocabulary = logits.shape[1]!
  const loss = tf.customGrad((...args) => {
    const [input, save] = args as unknown as [Tensor, (saved: Tensor[]) => void]
    const logProbabilities = tf.logSoftmax(input)
    // The one-hot row of label -1 is all zeros.
    const chosen = tf.oneHot(labels as never, vocabulary) as Tensor
    save([logProbabilities, chosen])
    return {
      value: tf.neg(tf.div(tf.sum(tf.mul(logProbabilities, tf.cast(chosen, 'float32'))), divisor)),
      gradFunc: (dy, saved) => {
        const [savedLogs, savedChosen] = saved as [Tensor, Tensor]
        const valid = tf.cast(tf.greaterEqual(labels, tf.scalar(0, 'int32')), 'float32')
        const weight = tf.expandDims(tf.mul(valid, tf.div(dy as Tensor, divisor)), 1)
        return tf.mul(tf.sub(tf.exp(savedLogs), tf.cast(savedChosen, 'float32')), weight)
      },
    }
  })
  return loss(logits)
}

/**
 * log softmax(logits)[label] of every row: [n].
 *
 * @param logits [n, vocabulary]
 * @param labels int32 [n], each within the vocabulary
 */
export function labelLogLikelihoods(logits: Tensor, labels: Tensor): Tensor {
  const chosen = tf.cast(tf.oneHot(labels as never, logits.shape[1]!) as Tensor, 'float32')
  const maximum = tf.max(logits, 1, true)
  const shifted = tf.sub(logits, maximum)
  return tf.sub(tf.sum(tf.mul(shifted, chosen), 1), tf.log(tf.sum(tf.exp(shifted), 1)))
}
