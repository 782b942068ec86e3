import { type Tensor, tf } from '../tensor/tf.ts'
import { differentiable, fused } from './fused.ts'

/**
 * GELU without approximation: x (1 + erf(x / sqrt 2)) / 2 (Hendrycks and Gimpel, arXiv 1606.08415); `gelu` in checkpoints.
 *
 * @param x any shape
 * @returns shaped as x
 */
export function gelu(x: Tensor): Tensor {
  const [y] = differentiable(
    { x },
    (save) => {
      save([x])
      return fused('Gelu', { x }, {}, () => [tf.mul(x, normalShare(x))])
    },
    ([dy], [saved]) => ({
      x: () => {
        const [dx] = fused('GeluGrad', { dy: dy!, x: saved! }, {}, () => {
          const density = tf.mul(tf.exp(tf.mul(tf.square(saved!), -0.5)), 1 / Math.sqrt(2 * Math.PI))
          return [tf.mul(dy!, tf.add(normalShare(saved!), tf.mul(saved!, density)))]
        })
        return dx!
      },
    }),
  )
  return y!
}

/** The share of a standard normal distribution that lies below x. */
const normalShare = (x: Tensor): Tensor => tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5)
