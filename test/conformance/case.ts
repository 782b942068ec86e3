import type { DataType, Tensor } from '../../engine/tensor/tf.ts'

/** A tensor of a case: numbers drawn from a seed, or given. */
export interface Operand {
  shape: number[]
  dtype: DataType
  values: number[]
}

export interface Case {
  name: string
  operands: Operand[]
  compute: (...tensors: Tensor[]) => Tensor | Tensor[]
  /** Differentiate with respect to all operands too; only where the function is smooth at the operands. */
  gradient?: boolean
  /** Largest difference, relative to 1 + the magnitude. */
  tolerance?: number
}
