import { type Tensor, tf } from '../tensor/tf.ts'
import { differentiable, fused } from './fused.ts'
import type { Head } from './head.ts'
import { frozenProduct } from './linear.ts'
import { normalised, normGradient } from './rms-norm.ts'

/** How much of a loss comes from a teacher. */
export interface DistilSettings {
  /** Share of the teacher's part: 0 is cross-entropy with the labels, 1 the teacher alone. */
  share: number
  /** What logits of both are divided by in the teacher's part. */
  temperature: number
}

/** All that is learnt from a teacher. */
export interface TeachingSettings extends DistilSettings {
  /** Weight of the squared difference of their last hidden states (see `hiddenLoss`); 0: none. */
  hidden: number
}

/** What a teacher made of the same tokens: its last block's output [n, its hidden size], and its head. */
export interface TaughtRows {
  x: Tensor
  head: Head
}

/**
 * Loss against labels and a teacher, after Hinton, Vinyals and Dean (arXiv 1503.02531), summed over rows that have a label and
 * divided by `divisor`: (1 - share) CE(labels) + share T^2 KL(teacher || student), both of soft-maxes at temperature T.
 *
 * @param logits the student's, [n, vocabulary]
 * @param teacher the teacher's, [n, vocabulary]
 * @param labels int32 [n]; rows whose label is -1 are ignored
 * @param divisor scalar: the number of labels that the mean is over, which may span several calls
 * @returns the loss, a scalar, and its gradient at the student's logits [n, vocabulary], which is
 *   (1 - share)(p - label) + share T (p^T - q^T) over the divisor
 */
export function distilLossOfLogits(
  logits: Tensor,
  teacher: Tensor,
  labels: Tensor,
  divisor: Tensor,
  { share, temperature }: DistilSettings,
): [loss: Tensor, gradient: Tensor] {
  const size = logits.shape[1]!
  const hits = tf.cast(tf.oneHot(labels as never, size) as Tensor, 'float32')
  const valid = tf.cast(tf.greaterEqual(labels, tf.scalar(0, 'int32')), 'float32')
  const log = tf.logSoftmax(logits)
  const [logP, logQ] = [logits, teacher].map((some) => tf.logSoftmax(tf.mul(some, 1 / temperature)))
  const q = tf.exp(logQ!)
  const surprise = tf.neg(tf.sum(tf.mul(log, hits), 1))
  const divergence = tf.sum(tf.mul(q, tf.sub(logQ!, logP!)), 1)
  const loss = tf.add(tf.mul(surprise, 1 - share), tf.mul(divergence, share * temperature ** 2))
  const fromLabels = tf.mul(tf.sub(tf.exp(log), hits), 1 - share)
  const fromTeacher = tf.mul(tf.sub(tf.exp(logP!), q), share * temperature)
  const weight = tf.expandDims(tf.div(valid, divisor), 1)
  return [
    tf.div(tf.sum(tf.mul(loss, valid)), divisor) as Tensor,
    tf.mul(tf.add(fromLabels, fromTeacher), weight) as Tensor,
  ]
}

/** The same loss as an operation that gradients pass through to the student's logits. */
export function distilLoss(
  logits: Tensor,
  teacher: Tensor,
  labels: Tensor,
  divisor: Tensor,
  settings: DistilSettings,
): Tensor {
  const [loss] = differentiable(
    { logits },
    (save) => {
      const [value, gradient] = distilLossOfLogits(logits, teacher, labels, divisor, settings)
      save([gradient])
      return [value]
    },
    ([dy], [gradient]) => ({ logits: () => tf.mul(gradient!, dy!) }),
  )
  return loss!
}

/**
 * The loss of some rows of the last block's output, and its gradient with respect to them. The logits of both models exist for
 * these rows alone.
 *
 * @param x the student's, [n, hidden]
 * @param teacher of the same rows
 */
export function distilHeadLoss(
  x: Tensor,
  head: Head,
  teacher: TaughtRows,
  labels: Tensor,
  divisor: Tensor,
  { share, temperature }: DistilSettings,
): Tensor[] {
  const inputs = { x, norm: head.norm, labels, divisor, teacher: teacher.x, teacherNorm: teacher.head.norm }
  const attributes = {
    weight: head.weight,
    epsilon: head.epsilon,
    teacherWeight: teacher.head.weight,
    teacherEpsilon: teacher.head.epsilon,
    share,
    temperature,
  }
  return fused('DistilLoss', inputs, attributes, () => {
    const [normed, inverse] = normalised(x, head.norm, head.epsilon)
    const [teacherNormed] = normalised(teacher.x, teacher.head.norm, teacher.head.epsilon)
    const logits = frozenProduct(normed, head.weight, false)
    const teacherLogits = frozenProduct(teacherNormed, teacher.head.weight, false)
    const [loss, dLogits] = distilLossOfLogits(logits, teacherLogits, labels, divisor, { share, temperature })
    const dNormed = frozenProduct(dLogits, head.weight, true)
    return [loss, normGradient(dNormed, x, head.norm, inverse)]
  })
}
