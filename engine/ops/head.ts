import type { FrozenWeight } from '../tensor/frozen-weight.ts'
import type { Tensor } from '../tensor/tf.ts'

/** The layers after the last block: a norm [hidden] and the matrix [vocabulary, hidden] that computes logits. */
export interface Head {
  norm: Tensor
  epsilon: number
  weight: FrozenWeight
}
