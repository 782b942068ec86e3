import type { FrozenWeight } from '../frozen-weight.ts'
import { type Tensor, tf } from '../tf.ts'

/** A base weight [out, in]: frozen and held by the back end as it likes, or a tensor when all weights are trained. */
export type Weight = FrozenWeight | Tensor

export interface Linear {
  weight: Weight
  /** [out] */
  bias: Tensor | null
}

/** A LoRA pair: adds scale * (x A^T) B^T to a linear layer's output (Hu et al., arXiv 2106.09685). */
export interface LowRank {
  /** [rank, in] */
  a: Tensor
  /** [out, rank] */
  b: Tensor
  scale: number
  /** Dropout of the adapter's input: 0 or 1 / (1 - p) an element, shaped as the input. */
  keep?: Tensor | undefined
}

const isTensor = (weight: Weight): weight is Tensor => 'dataId' in weight

const runFrozen = (x: Tensor, weight: FrozenWeight, transposed: boolean): Tensor =>
  tf.engine().runKernel('FrozenLinear', { x }, { weight, transposed } as never) as Tensor

/** x W^T for a frozen W [out, in]. The gradient is with respect to x alone: no gradient of W is ever formed. */
function frozenLinear(x: Tensor, weight: FrozenWeight): Tensor {
  const product = tf.customGrad((input) => ({
    value: runFrozen(input as Tensor, weight, false),
    gradFunc: (dy) => runFrozen(dy as Tensor, weight, true),
  }))
  return product(x)
}

/** x [n, in] times W^T, plus the bias and the adapter's share: [n, out]. */
export function linear(x: Tensor, { weight, bias }: Linear, lowRank?: LowRank): Tensor {
  let y = isTensor(weight) ? tf.matMul(x, weight, false, true) : frozenLinear(x, weight)
  if (lowRank) {
    const input = lowRank.keep ? tf.mul(x, lowRank.keep) : x
    const narrow = tf.mul(tf.matMul(input, lowRank.a, false, true), lowRank.scale)
    y = tf.add(y, tf.matMul(narrow, lowRank.b, false, true))
  }
  return bias ? tf.add(y, bias) : y
}

/** Rows of an embedding table [vocabulary, hidden] for int32 ids [n]: [n, hidden]. */
export function embed(ids: Tensor, table: Weight): Tensor {
  if (isTensor(table)) return tf.gather(table, ids as never)
  return tf.engine().runKernel('FrozenRows', { indices: ids }, { weight: table } as never) as Tensor
}
