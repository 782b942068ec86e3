import type { DataType } from '../../tensor/tf.ts'
import type { HostValues } from './array-pool.ts'
import type { ElementType } from './model-proto.ts'
import type { Value } from './recorder.ts'

/** What the back end holds of a tensor. */
export interface Entry {
  dtype: DataType
  type: ElementType
  /** Shape in which the value was made; a reshaped tensor shares the entry. */
  shape: readonly number[]
  references: number
  /** The computed value; null while a node of the pending graph still has to compute it. */
  data: HostValues | null
  pending: Value | null
  /** Whether the array may be reused once the tensor is disposed of: no caller holds it. */
  recyclable: boolean
  /** Gives the array back to where it came from, if that is not the pool. */
  release?: () => void
}

/** Element types of tensors that it holds. */
export const elementTypes: Partial<Record<DataType, ElementType>> = { float32: 'float32', int32: 'int32', bool: 'bool' }

/** The tensors of a back end, by their data ids. */
export interface Entries {
  get(id: object): Entry
  set(id: object, entry: Entry): void
  has(id: object): boolean
  delete(id: object): boolean
  numDataIds(): number
}
