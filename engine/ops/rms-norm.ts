import { type Tensor, tf } from '../tensor/tf.ts'
import { differentiable, fused } from './fused.ts'

/**
 * RMSNorm over the last axis: x / sqrt(mean(x^2) + epsilon) * weight (Zhang and Sennrich, arXiv 1910.07467).
 *
 * @param x [n, size]
 * @param weight [size]
 */
export function rmsNorm(x: Tensor, weight: Tensor, epsilon: number): Tensor {
  const [y] = differentiable(
    { x, weight },
    (save) => {
      const [value, inverse] = normalised(x, weight, epsilon)
      save([x, weight, inverse])
      return [value]
    },
    ([dy], saved) => {
      const [input, scale, inverse] = saved as [Tensor, Tensor, Tensor]
      return {
        x: () => normGradient(dy!, input, scale, inverse),
        weight: () => tf.sum(tf.mul(tf.mul(dy!, input), inverse), 0),
      }
    },
  )
  return y!
}

/** The normed x, and the factor [n, 1] that its rows were multiplied with. */
export const normalised = (x: Tensor, weight: Tensor, epsilon: number): [Tensor, Tensor] =>
  fused('RmsNorm', { x, weight }, { epsilon }, () => {
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon))
    return [tf.mul(tf.mul(x, inverse), weight), inverse]
  }) as [Tensor, Tensor]

/** Gradient with respect to x. */
export function normGradient(dy: Tensor, x: Tensor, weight: Tensor, inverse: Tensor): Tensor {
  const [dx] = fused('RmsNormGrad', { dy, x, weight, inverse }, {}, () => {
    const weighted = tf.mul(dy, weight)
    const inner = tf.sum(tf.mul(weighted, x), -1, true)
    const pull = tf.mul(inner, tf.mul(tf.mul(inverse, tf.square(inverse)), 1 / x.shape.at(-1)!))
    return [tf.sub(tf.mul(weighted, inverse), tf.mul(x, pull))]
  })
  return dx!
}
