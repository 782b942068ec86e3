import { type Tensor, tf } from '../tensor/tf.ts'
import { differentiable, fused } from './fused.ts'

/**
 * LayerNorm over the last axis: (x - mean(x)) / sqrt(variance(x) + epsilon) * weight + bias (Ba et al., arXiv 1607.06450).
 *
 * @param x [n, size]
 * @param weight [size]
 * @param bias [size]
 * @returns [n, size]
 */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor {
  const [y] = differentiable(
    { x, weight, bias },
    (save) => {
      const [value, mean, inverse] = normalised(x, weight, bias, epsilon)
      save([x, weight, mean, inverse])
      return [value]
    },
    ([dy], saved) => {
      const [input, scale, mean, inverse] = saved as [Tensor, Tensor, Tensor, Tensor]
      return {
        x: () => normGradient(dy!, input, scale, mean, inverse),
        weight: () => tf.sum(tf.mul(dy!, tf.mul(tf.sub(input, mean), inverse)), 0),
        bias: () => tf.sum(dy!, 0),
      }
    },
  )
  return y!
}

/** The normed x, and the mean [n, 1] and inverse deviation [n, 1] of its rows. */
const normalised = (x: Tensor, weight: Tensor, bias: Tensor, epsilon: number) =>
  fused('LayerNorm', { x, weight, bias }, { epsilon }, () => {
    const mean = tf.mean(x, -1, true)
    const centred = tf.sub(x, mean)
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon))
    return [tf.add(tf.mul(tf.mul(centred, inverse), weight), bias), mean, inverse]
  }) as [Tensor, Tensor, Tensor]

/** Gradient with respect to x: r (g - mean(g) - z mean(g z)) with g = dy weight, z = (x - mean) r, r = `inverse`. */
function normGradient(dy: Tensor, x: Tensor, weight: Tensor, mean: Tensor, inverse: Tensor): Tensor {
  const [dx] = fused('LayerNormGrad', { dy, x, weight, mean, inverse }, {}, () => {
    const g = tf.mul(dy, weight)
    const z = tf.mul(tf.sub(x, mean), inverse)
    const pull = tf.mul(z, tf.mean(tf.mul(g, z), -1, true))
    return [tf.mul(tf.sub(tf.sub(g, tf.mean(g, -1, true)), pull), inverse)]
  })
  return dx!
}
