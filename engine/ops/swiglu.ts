import { type Tensor, tf } from '../tensor/tf.ts'
import { differentiable, fused } from './fused.ts'

/** silu(gate) * up, element by element (Shazeer, arXiv 2002.05202). */
export function swiglu(gate: Tensor, up: Tensor): Tensor {
  const [y] = differentiable(
    { gate, up },
    (save) => {
      save([gate, up])
      return fused('SwiGlu', { gate, up }, {}, () => [tf.mul(tf.mul(gate, tf.sigmoid(gate)), up)])
    },
    ([dy], saved) => {
      const [dGate, dUp] = gradients(dy!, ...(saved as [Tensor, Tensor]))
      return { gate: () => dGate!, up: () => dUp! }
    },
  )
  return y!
}

const gradients = (dy: Tensor, gate: Tensor, up: Tensor): Tensor[] =>
  tf.tidy(() =>
    fused('SwiGluGrad', { dy, gate, up }, {}, () => {
      const s = tf.sigmoid(gate)
      const silu = tf.mul(gate, s)
      // d silu / d gate = s + silu * (1 - s)
      return [tf.mul(tf.mul(dy, up), tf.add(s, tf.sub(silu, tf.mul(silu, s)))), tf.mul(dy, silu)]
    }),
  )
