export type WeightType = 'float32' | 'float16' | 'bfloat16'

/** A tensor as it lies on disk: little-endian bytes, row-major. */
export interface StoredTensor {
  name: string
  dtype: WeightType
  shape: number[]
  bytes: Uint8Array
}
