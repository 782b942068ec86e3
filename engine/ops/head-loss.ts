import type { FrozenWeight } from '../tensor/frozen-weight.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { lossOfLogits, logitsGradient } from './cross-entropy.ts'
import { differentiable, fused } from './fused.ts'
import { frozenProduct } from './linear.ts'
import { normalised, normGradient } from './rms-norm.ts'

/** The layers after the last block: a norm [hidden] and the matrix [vocabulary, hidden] that computes logits. */
export interface Head {
  norm: Tensor
  epsilon: number
  weight: FrozenWeight
}

/**
 * Cross-entropy of the head's logits of x [n, hidden] (see `crossEntropy`), and its gradient with respect to x. Both are
 * computed some rows at a time, so that only a piece of the logits and of their gradient exists at once.
 *
 * @param labels int32 [n]
 * @param rows rows taken at once: a divisor of n
 * @param afterPiece called when a piece has been recorded; only its loss and gradient are alive then
 */
export function headLossAndGradient(
  x: Tensor,
  head: Head,
  labels: Tensor,
  divisor: Tensor,
  rows: number,
  afterPiece?: () => void,
): { loss: Tensor; gradient: Tensor } {
  const [n, hidden] = x.shape as [number, number]
  const one = tf.scalar(1)
  const losses: Tensor[] = []
  const gradients: Tensor[] = []
  for (let start = 0; start < n; start += rows) {
    const [loss, gradient] = tf.tidy(() => {
      const piece = tf.slice(x, [start, 0], [rows, hidden])
      const target = tf.slice(labels, [start], [rows])
      const inputs = { x: piece, norm: head.norm, labels: target, divisor }
      return fused('HeadLoss', inputs, { weight: head.weight, epsilon: head.epsilon }, () => {
        const [normed, inverse] = normalised(piece, head.norm, head.epsilon)
        const logits = frozenProduct(normed, head.weight, false)
        const [value, logSumExp] = lossOfLogits(logits, target, divisor)
        const dNormed = frozenProduct(logitsGradient(one, logits, target, divisor, logSumExp), head.weight, true)
        return [value!, normGradient(dNormed, piece, head.norm, inverse)]
      })
    }) as [Tensor, Tensor]
    losses.push(loss)
    gradients.push(gradient)
    afterPiece?.()
  }
  const result = { loss: tf.addN(losses), gradient: tf.concat(gradients, 0) }
  tf.dispose([one, ...losses, ...gradients])
  return result
}

/** The same loss as an operation that gradients pass through. */
export function lossOfHead(x: Tensor, head: Head, labels: Tensor, divisor: Tensor, rows: number): Tensor {
  const [result] = differentiable(
    { x },
    (save) => {
      const { loss, gradient } = headLossAndGradient(x, head, labels, divisor, rows)
      save([gradient])
      return [loss]
    },
    ([dy], [gradient]) => ({ x: () => tf.mul(gradient!, dy!) }),
  )
  return result!
}
