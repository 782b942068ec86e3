import { createRequire } from 'node:module'
import type * as TensorFlow from '@tensorflow/tfjs'

/**
 * TensorFlow.js, loaded when a property of it is first read. Importing a module that can compute therefore costs nothing
 * where nothing is computed: the service and `--help` read the declarations of models and never load it.
 *
 * Until then this is a proxy. Its first read loads the package and replaces the proxy, which every importer sees because an
 * imported name follows its variable. What replaces it is a copy of the package's exports: they are getters there, and a copy
 * reads four times as fast (15 ns; recording an operation takes 10 µs).
 *
 * The union package is what registers gradients, and in Node only its CommonJS bundle can be imported as it is, so everything
 * in the engine takes `tf` from here.
 */
export let tf = new Proxy({} as typeof TensorFlow, {
  get(_, name) {
    tf = { ...(createRequire(import.meta.url)('@tensorflow/tfjs') as typeof TensorFlow) }
    return Reflect.get(tf, name) as unknown
  },
})

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
