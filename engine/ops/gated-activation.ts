import { type Tensor, tf } from '../tensor/tf.ts'
import { differentiable, fused } from './fused.ts'

/**
 * The function that a gated feed-forward layer puts its gate through: x * sigmoid(x), or GELU in its tanh approximation
 * (`gelu_pytorch_tanh` in checkpoints).
 */
export type GateActivation = 'silu' | 'gelu-tanh'

/**
 * activation(gate) * up, element by element (Shazeer, arXiv 2002.05202): SwiGLU with 'silu', GeGLU with 'gelu-tanh'.
 *
 * @param gate any shape
 * @param up shaped as gate
 * @returns shaped as gate
 */
export function gatedActivation(gate: Tensor, up: Tensor, activation: GateActivation): Tensor {
  const { kernel, composite, compositeGradients } = activations[activation]
  const [y] = differentiable(
    { gate, up },
    (save) => {
      save([gate, up])
      return fused(kernel, { gate, up }, {}, () => [composite(gate, up)])
    },
    ([dy], saved) => {
      const [savedGate, savedUp] = saved as [Tensor, Tensor]
      const [dGate, dUp] = tf.tidy(() =>
        fused(`${kernel}Grad`, { dy: dy!, gate: savedGate, up: savedUp }, {}, () =>
          compositeGradients(dy!, savedGate, savedUp),
        ),
      )
      return { gate: () => dGate!, up: () => dUp! }
    },
  )
  return y!
}

interface Activation {
  /** Name of the fused kernel; that of its gradient ends in `Grad`. */
  kernel: 'SwiGlu' | 'GeGlu'
  composite: (gate: Tensor, up: Tensor) => Tensor
  /** Gradients with respect to gate and up. */
  compositeGradients: (dy: Tensor, gate: Tensor, up: Tensor) => Tensor[]
}

const activations: Record<GateActivation, Activation> = {
  silu: {
    kernel: 'SwiGlu',
    composite: (gate, up) => tf.mul(tf.mul(gate, tf.sigmoid(gate)), up),
    compositeGradients: (dy, gate, up) => {
      const s = tf.sigmoid(gate)
      const silu = tf.mul(gate, s)
      // d silu / d gate = s + silu * (1 - s)
      return [tf.mul(tf.mul(dy, up), tf.add(s, tf.sub(silu, tf.mul(silu, s)))), tf.mul(dy, silu)]
    },
  },
  'gelu-tanh': {
    kernel: 'GeGlu',
    composite: (gate, up) => tf.mul(tf.mul(gate, geluShare(gate)), up),
    compositeGradients: (dy, gate, up) => {
      const share = geluShare(gate)
      // share = (1 + tanh u) / 2, so that d share / d gate = 2 share (1 - share) du / d gate
      const inner = tf.mul(tf.add(tf.mul(tf.square(gate), 3 * geluCubic), 1), 2 * geluScale)
      const slope = tf.mul(tf.mul(gate, inner), tf.mul(share, tf.sub(1, share)))
      return [tf.mul(tf.mul(dy, up), tf.add(share, slope)), tf.mul(dy, tf.mul(gate, share))]
    },
  },
}
const geluScale = Math.sqrt(2 / Math.PI)
const geluCubic = 0.044715

/**
 * The factor of x in GELU's tanh approximation: (1 + tanh u) / 2 = sigmoid(2 u) with u = geluScale (x + geluCubic x^3). The
 * sigmoid keeps its digits where 1 + tanh u would lose them, at negative x.
 */
const geluShare = (x: Tensor): Tensor =>
  tf.sigmoid(tf.mul(tf.mul(x, tf.add(tf.mul(tf.square(x), geluCubic), 1)), 2 * geluScale))
