import type { LinearName } from '../models/family.ts'
import type { Random } from '../shared/random.ts'
import { type Tensor, tf } from '../tensor/tf.ts'

/** The factor of each element of an adapter's input [n, in], or undefined where nothing is dropped. */
export type DropoutSource = (layer: number, name: LinearName, n: number) => Tensor | undefined

/**
 * Dropout whose masks are a pure function of the seed, the batch, the block and the linear layer: a block that is computed
 * again in the backward pass, or a run that is resumed, drops the same elements.
 *
 * @param inputs width of a linear layer's input
 */
export function dropoutSource(
  random: Random,
  probability: number,
  inputs: (layer: number, name: LinearName) => number,
): DropoutSource | undefined {
  if (probability === 0) return undefined
  return (layer, name, n) => {
    const stream = random.fork(`layers.${layer}.${name}`)
    const size = inputs(layer, name)
    const keep = new Float32Array(n * size)
    // 16 random bits decide on an element, so one draw serves two; the factor is that of the rounded probability.
    const threshold = Math.round(probability * 65536)
    const factor = 65536 / (65536 - threshold)
    for (let i = 0; i < keep.length; i += 2) {
      const bits = stream.bits()
      keep[i] = (bits & 0xffff) < threshold ? 0 : factor
      keep[i + 1] = bits >>> 16 < threshold ? 0 : factor
    }
    return tf.tensor2d(keep, [n, size])
  }
}
