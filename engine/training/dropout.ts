import type { Projection } from '../models/projections.ts'
import type { Random } from '../shared/random.ts'
import { type Tensor, tf } from '../tensor/tf.ts'

/** The factor of each element of an adapter's input [n, in], or undefined where nothing is dropped. */
export type DropoutSource = (layer: number, projection: Projection, n: number) => Tensor | undefined

/**
 * Dropout whose masks are a pure function of the seed, the batch, the layer and the projection: a block that is computed
 * again in the backward pass, or a run that is resumed, drops the same elements.
 *
 * @param inputs width of a projection's input
 */
export function dropoutSource(
  random: Random,
  probability: number,
  inputs: (layer: number, projection: Projection) => number,
): DropoutSource | undefined {
  if (probability === 0) return undefined
  return (layer, projection, n) => {
    const stream = random.fork(`layers.${layer}.${projection}`)
    const size = inputs(layer, projection)
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
