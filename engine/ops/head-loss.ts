import { type Tensor, tf } from '../tensor/tf.ts'
import { lossOfLogits, logitsGradient } from './cross-entropy.ts'
import { distilHeadLoss, type TaughtRows, type TeachingSettings } from './distil-loss.ts'
import { topHeadLoss, type TopRows, topSlice } from './distil-top.ts'
import { differentiable, fused } from './fused.ts'
import type { Head } from './head.ts'
import { hiddenLoss } from './hidden-loss.ts'
import { frozenProduct } from './linear.ts'
import { normalised, normGradient } from './rms-norm.ts'

/** A teacher's part of a loss: of all tokens (see `distilLossOfLogits`), or of those that it finds likeliest (`topLossOfLogits`). */
export type Taught = TeachingSettings & (TaughtRows | { top: TopRows })

/**
 * Cross-entropy of the head's logits of x [n, hidden] (see `crossEntropy`), or the loss against a teacher, and its gradient
 * with respect to x. Both are computed some rows at a time, so that only a piece of the logits and of their gradient exists
 * at once.
 *
 * @param labels int32 [n]
 * @param rows rows taken at once: a divisor of n
 * @param options.teacher what a teacher made of the same n rows
 * @param options.afterPiece called when a piece has been recorded; only its loss and gradient are alive then
 */
export function headLossAndGradient(
  x: Tensor,
  head: Head,
  labels: Tensor,
  divisor: Tensor,
  rows: number,
  { teacher, afterPiece }: { teacher?: Taught | undefined; afterPiece?: () => void } = {},
): { loss: Tensor; gradient: Tensor } {
  const n = x.shape[0]!
  const losses: Tensor[] = []
  const gradients: Tensor[] = []
  for (let start = 0; start < n; start += rows) {
    const [loss, gradient] = tf.tidy(() => {
      const rowsOf = (all: Tensor) => tf.slice(all, [start, 0], [rows, all.shape[1]!])
      const target = tf.slice(labels, [start], [rows])
      const piece = rowsOf(x)
      if (!teacher) return crossEntropyOfHead(piece, head, target, divisor)
      if ('top' in teacher)
        return topHeadLoss(piece, head, topSlice(teacher.top, start, rows), target, divisor, teacher)
      return taughtHeadLoss(piece, head, { ...teacher, x: rowsOf(teacher.x) }, target, divisor)
    }) as [Tensor, Tensor]
    losses.push(loss)
    gradients.push(gradient)
    afterPiece?.()
  }
  const result = { loss: tf.addN(losses), gradient: tf.concat(gradients, 0) }
  tf.dispose([...losses, ...gradients])
  return result
}

/** The loss of one piece against all that a teacher says of it, and its gradient with respect to x. */
function taughtHeadLoss(
  x: Tensor,
  head: Head,
  teacher: TeachingSettings & TaughtRows,
  labels: Tensor,
  divisor: Tensor,
): Tensor[] {
  const [loss, gradient] = distilHeadLoss(x, head, teacher, labels, divisor, teacher) as [Tensor, Tensor]
  if (teacher.hidden === 0) return [loss, gradient]
  const [more, dx] = hiddenLoss(x, head, teacher, labels, divisor, teacher.hidden)
  return [tf.add(loss, more), tf.add(gradient, dx)]
}

/** The loss of one piece, and its gradient with respect to x. */
function crossEntropyOfHead(x: Tensor, head: Head, labels: Tensor, divisor: Tensor): Tensor[] {
  const inputs = { x, norm: head.norm, labels, divisor }
  return fused('HeadLoss', inputs, { weight: head.weight, epsilon: head.epsilon }, () => {
    const [normed, inverse] = normalised(x, head.norm, head.epsilon)
    const logits = frozenProduct(normed, head.weight, false)
    const [value, logSumExp] = lossOfLogits(logits, labels, divisor)
    const dLogits = logitsGradient(tf.scalar(1), logits, labels, divisor, logSumExp)
    return [value!, normGradient(frozenProduct(dLogits, head.weight, true), x, head.norm, inverse)]
  })
}

/** The same loss as an operation that gradients pass through. */
export function lossOfHead(
  x: Tensor,
  head: Head,
  labels: Tensor,
  divisor: Tensor,
  rows: number,
  teacher?: Taught,
): Tensor {
  const [result] = differentiable(
    { x },
    (save) => {
      const { loss, gradient } = headLossAndGradient(x, head, labels, divisor, rows, { teacher })
      save([gradient])
      return [loss]
    },
    ([dy], [gradient]) => ({ x: () => tf.mul(gradient!, dy!) }),
  )
  return result!
}
