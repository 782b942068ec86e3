import { type Tensor, tf } from '../tf.ts'

/**
 * RMSNorm over the last axis: x / sqrt(mean(x^2) + epsilon) * weight (Zhang and Sennrich, arXiv 1910.07467).
 *
 * @param x [n, size]
 * @param weight [size]
 */
export function rmsNorm(x: Tensor, weight: Tensor, epsilon: number): Tensor {
  const size = x.shape.at(-1)!
  const norm = tf.customGrad((...args) => {
    const [input, scale, save] = args as unknown as [Tensor, Tensor, (saved: Tensor[]) => void]
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(input), -1, true), epsilon))
    save([input, scale, inverse])
    return {
      value: tf.mul(tf.mul(input, inverse), scale),
      gradFunc: (dy, saved) => {
        const [savedInput, savedScale, r] = saved as [Tensor, Tensor, Tensor]
        const weighted = tf.mul(dy as Tensor, savedScale)
        const inner = tf.sum(tf.mul(weighted, savedInput), -1, true)
        const pull = tf.mul(inner, tf.mul(tf.mul(r, tf.square(r)), 1 / size))
        return [
          tf.sub(tf.mul(weighted, r), tf.mul(savedInput, pull)),
          tf.sum(tf.mul(tf.mul(dy as Tensor, savedInput), r), 0),
        ]
      },
    }
  })
  return norm(x, weight)
}
