import { createRequire } from 'node:module'
import type * as TensorFlow from '@tensorflow/tfjs'

/**
 * TensorFlow.js, loaded once. The union package is what registers gradients, and in Node only its CommonJS bundle can be
 * imported as it is, so everything in the engine takes `tf` from here.
 */
export const tf = createRequire(import.meta.url)('@tensorflow/tfjs') as typeof TensorFlow

export type {
  Tensor,
  Tensor1D,
  Tensor2D,
  Tensor3D,
  Tensor4D,
  TensorInfo,
  DataType,
  NamedTensorMap,
} from '@tensorflow/tfjs'
