import { type Tensor, tf } from '../tensor/tf.ts'
import { differentiable, fused } from './fused.ts'

/** Rotary scaling of Llama 3.1 ("rope_type": "llama3") or plain linear scaling. */
export type RopeScaling =
  | {
      type: 'llama3'
      factor: number
      lowFrequencyFactor: number
      highFrequencyFactor: number
      originalPositions: number
    }
  | { type: 'linear'; factor: number }

/** Cosines and sines, each [rows or 1, length, 1, headSize / 2]. */
export interface RotaryTable {
  cosine: Tensor
  sine: Tensor
}

/** Angle of each pair of elements a position: theta^(-2i / headSize), scaled as the checkpoint says. */
export function rotaryFrequencies(headSize: number, theta: number, scaling: RopeScaling | null): number[] {
  return Array.from({ length: headSize / 2 }, (_, i) => {
    const frequency = theta ** ((-2 * i) / headSize)
    if (scaling === null) return frequency
    if (scaling.type === 'linear') return frequency / scaling.factor
    // Llama 3.1: long waves are stretched, short ones stay, those between are blended.
    const waves = (scaling.originalPositions * frequency) / (2 * Math.PI)
    if (waves < scaling.lowFrequencyFactor) return frequency / scaling.factor
    if (waves > scaling.highFrequencyFactor) return frequency
    const blend = (waves - scaling.lowFrequencyFactor) / (scaling.highFrequencyFactor - scaling.lowFrequencyFactor)
    return (1 - blend) * (frequency / scaling.factor) + blend * frequency
  })
}

/**
 * The table for given positions. `factor` scales what is rotated: attention passes 1 / sqrt(headSize) for queries, which
 * saves a pass over the scores.
 *
 * @param positions rows * length positions, or length of them when every row starts at the same one
 */
export function rotaryTable(
  frequencies: readonly number[],
  positions: ArrayLike<number>,
  rows: number,
  factor = 1,
): RotaryTable {
  const half = frequencies.length
  const cosine = new Float32Array(positions.length * half)
  const sine = new Float32Array(positions.length * half)
  for (let p = 0; p < positions.length; p++) {
    for (let i = 0; i < half; i++) {
      const angle = positions[p]! * frequencies[i]!
      cosine[p * half + i] = Math.cos(angle) * factor
      sine[p * half + i] = Math.sin(angle) * factor
    }
  }
  const shape: [number, number, number, number] = [rows, positions.length / rows, 1, half]
  return { cosine: tf.tensor4d(cosine, shape), sine: tf.tensor4d(sine, shape) }
}

function rotate(x: Tensor, { cosine, sine }: RotaryTable, back: boolean): Tensor {
  const [result] = fused('Rotary', { x, cosine, sine }, { back }, () => {
    const [rows, length, heads, size] = x.shape as [number, number, number, number]
    const half = size / 2
    const first = tf.slice(x, [0, 0, 0, 0], [rows, length, heads, half])
    const second = tf.slice(x, [0, 0, 0, half], [rows, length, heads, half])
    const turn = back ? tf.neg(sine) : sine
    return [
      tf.concat(
        [tf.sub(tf.mul(first, cosine), tf.mul(second, turn)), tf.add(tf.mul(second, cosine), tf.mul(first, turn))],
        3,
      ),
    ]
  })
  return result!
}

/**
 * Rotary position embedding (Su et al., arXiv 2104.09864) in the half-split layout of Hugging Face checkpoints.
 *
 * @param x [rows, length, heads, headSize]
 */
export function rotary(x: Tensor, table: RotaryTable): Tensor {
  const [turned] = differentiable(
    { x },
    () => [rotate(x, table, false)],
    ([dy]) => ({ x: () => rotate(dy!, table, true) }),
  )
  return turned!
}
