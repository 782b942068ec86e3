import { type DataType, tf, type TensorInfo } from '../../tensor/tf.ts'
import type { FusedAttributes, FusedKernel } from '../fused-kernels.ts'
import { type OnnxBackend } from './backend.ts'
import { type ElementType } from './model-proto.ts'
import { sizeOf, type Value } from './recorder.ts'

/** The name under which the back end and its kernels are registered with TensorFlow.js. */
export const backendName = 'onnx'

export type Inputs = Record<string, TensorInfo>

/** What a kernel is called with: its tensors, its attributes and the back end that records. */
export interface Call<Attributes> {
  inputs: Inputs
  attributes: Attributes
  backend: OnnxBackend
}

type Result = TensorInfo | TensorInfo[]

/** Kernels that compute a token's worth at once, on the host; null where they leave it to the graph. */
const directKernels = new Map<string, (call: Call<never>) => Result | null>()

/** Registers such a kernel beside that which records, for a fused operation or one of TensorFlow.js. */
export const registerDirect = <Attributes>(
  kernelName: string,
  kernel: (call: Call<Attributes>) => Result | null,
): void => void directKernels.set(kernelName, kernel)

/** Registers a kernel of TensorFlow.js for this back end. */
export function register<Attributes = Record<string, never>>(
  kernelName: string,
  kernel: (call: Call<Attributes>) => TensorInfo | TensorInfo[],
): void {
  tf.registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ inputs, attrs, backend }) => {
      const onnx = backend as OnnxBackend
      const call = { inputs: inputs as unknown as Inputs, attributes: attrs as unknown as Attributes, backend: onnx }
      const computed = onnx.isDirect ? directKernels.get(kernelName)?.(call as Call<never>) : null
      if (computed) return computed
      const outputs = kernel(call)
      onnx.flushIfLong()
      return outputs
    },
  })
}

/** Registers a fused kernel for this back end; `fused-kernels.ts` says what each takes and gives. */
export const registerFused = <Name extends FusedKernel>(
  kernelName: Name,
  kernel: (call: Call<FusedAttributes[Name]>) => TensorInfo | TensorInfo[],
): void => register(kernelName, kernel)

/** The ONNX element type of tensors of a tfjs type. */
export const typeOf = (dtype: DataType): ElementType =>
  dtype === 'int32' ? 'int32' : dtype === 'bool' ? 'bool' : 'float32'

/** A tensor filled with one number, as part of the structure. */
export function filled(backend: OnnxBackend, shape: readonly number[], value: number, dtype: DataType): TensorInfo {
  return backend.output(fill(backend, shape, value, typeOf(dtype)), dtype)
}

/** A value filled with one number, as part of the structure. */
export function fill(backend: OnnxBackend, shape: readonly number[], value: number, type: ElementType): Value {
  const { graph } = backend
  const constantType = type === 'int32' || type === 'bool' ? type : 'float32'
  if (shape.length === 0) return graph.constant(constantType, [value], [])
  return graph.node('Expand', [graph.constant(constantType, [value], []), graph.ints(...shape)], constantType, shape)
}

/** The tensor as a value of a type that arithmetic operators take: truth values become integers. */
export function numeric(backend: OnnxBackend, tensor: TensorInfo): Value {
  const value = backend.input(tensor)
  return value.type === 'bool' ? backend.graph.cast(value, 'int32') : value
}

/** The tensor as a float32 value. */
export const float = (backend: OnnxBackend, tensor: TensorInfo): Value =>
  backend.graph.cast(backend.input(tensor), 'float32')

export const isEmpty = (tensor: { shape: readonly number[] }) => sizeOf(tensor.shape) === 0

/** Row-major permutation of a value. */
export function transpose(backend: OnnxBackend, value: Value, permutation: readonly number[]): Value {
  if (permutation.every((from, to) => from === to)) return value
  return backend.graph.node(
    'Transpose',
    [value],
    value.type,
    permutation.map((axis) => value.shape[axis]!),
    { perm: [...permutation] },
  )
}
