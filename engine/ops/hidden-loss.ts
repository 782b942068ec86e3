import { type Tensor, tf } from '../tensor/tf.ts'
import type { TaughtRows } from './distil-loss.ts'
import type { Head } from './head.ts'
import { normalised, normGradient } from './rms-norm.ts'

/**
 * How far the last hidden states of a student and its teacher are apart: weight times the mean squared difference of what their
 * heads read, which is after the last norm, as transformers' last hidden state is (a term of Minitron's, Muralidharan et al.,
 * arXiv 2407.14679). Summed over rows that have a label and divided by `divisor`.
 *
 * @param x the student's last block's output [n, hidden]
 * @param teacher of the same rows and of the same size
 * @param labels int32 [n]; rows whose label is -1 are ignored
 * @returns the loss, a scalar, and its gradient with respect to x
 */
export function hiddenLoss(
  x: Tensor,
  head: Head,
  teacher: TaughtRows,
  labels: Tensor,
  divisor: Tensor,
  weight: number,
): [loss: Tensor, gradient: Tensor] {
  const [normed, inverse] = normalised(x, head.norm, head.epsilon)
  const [wanted] = normalised(teacher.x, teacher.head.norm, teacher.head.epsilon)
  const valid = tf.expandDims(tf.cast(tf.greaterEqual(labels, tf.scalar(0, 'int32')), 'float32'), 1)
  const apart = tf.mul(tf.sub(normed, wanted), valid)
  const scale = weight / x.shape[1]!
  const loss = tf.div(tf.mul(tf.sum(tf.square(apart)), scale), divisor)
  const dNormed = tf.div(tf.mul(apart, 2 * scale), divisor)
  return [loss as Tensor, normGradient(dNormed as Tensor, x, head.norm, inverse)]
}
