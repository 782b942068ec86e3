import { type Tensor, tf } from '../tf.ts'

/** silu(gate) * up, element by element (Shazeer, arXiv 2002.05202). */
export function swiglu(gate: Tensor, up: Tensor): Tensor {
  const activate = tf.customGrad((...args) => {
    const [gateIn, upIn, save] = args as unknown as [Tensor, Tensor, (saved: Tensor[]) => void]
    save([gateIn, upIn])
    return {
      value: tf.mul(tf.mul(gateIn, tf.sigmoid(gateIn)), upIn),
      gradFunc: (dy, saved) => {
        const [savedGate, savedUp] = saved as [Tensor, Tensor]
        const s = tf.sigmoid(savedGate)
        const silu = tf.mul(savedGate, s)
        return [
          // d silu / d gate = s + silu * (1 - s)
          tf.mul(tf.mul(dy as Tensor, savedUp), tf.add(s, tf.sub(silu, tf.mul(silu, s)))),
          tf.mul(dy as Tensor, silu),
        ]
      },
    }
  })
  return activate(gate, up)
}
