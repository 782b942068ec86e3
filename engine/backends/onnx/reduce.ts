import { type DataType, tf, type TensorInfo } from '../../tensor/tf.ts'
import type { OnnxBackend } from './backend.ts'
import { filled, isEmpty, numeric, register, typeOf } from './kernel.ts'

interface Axes {
  axis?: number | number[]
  reductionIndices?: number | number[]
  keepDims?: boolean
}

/** Max and Min may miss a NaN, because ONNX Runtime's vector code does not look for it. The others return NaN. */
export function registerReductions(): void {
  reduction('Sum', 'ReduceSum', (dtype) => (dtype === 'float32' ? 'float32' : 'int32'), 0)
  reduction('Mean', 'ReduceMean', () => 'float32', 0)
  reduction('Prod', 'ReduceProd', (dtype) => (dtype === 'float32' ? 'float32' : 'int32'), 1)
  reduction('Max', 'ReduceMax', (dtype) => dtype, Number.NaN)
  reduction('Min', 'ReduceMin', (dtype) => dtype, Number.NaN)
  reduction('All', 'ReduceMin', () => 'bool', 1)
  reduction('Any', 'ReduceMax', () => 'bool', 0)
  for (const kernel of ['ArgMax', 'ArgMin']) {
    register<{ axis: number }>(kernel, ({ inputs, attributes, backend }) => {
      const x = numeric(backend, inputs.x!)
      const [axis] = tf.util.parseAxisParam(attributes.axis, [...x.shape]) as [number]
      const shape = x.shape.filter((_, i) => i !== axis)
      return backend.output(backend.graph.node(kernel, [x], 'int64', shape, { axis, keepdims: 0 }), 'int32')
    })
  }
  register<{ axis: number; exclusive: boolean; reverse: boolean }>('Cumsum', ({ inputs, attributes, backend }) => {
    const x = numeric(backend, inputs.x!)
    const { axis, exclusive, reverse } = attributes
    const sum = backend.graph.node('CumSum', [x, backend.graph.constant('int64', [axis], [])], x.type, x.shape, {
      exclusive: Number(exclusive),
      reverse: Number(reverse),
    })
    return backend.output(sum, inputs.x!.dtype === 'bool' ? 'int32' : inputs.x!.dtype)
  })
}

/** A kernel that folds some axes; `none` is the result over no elements. */
function reduction(kernel: string, operator: string, resultType: (dtype: DataType) => DataType, none: number): void {
  register<Axes>(kernel, ({ inputs, attributes, backend }) => {
    const x = inputs.x!
    const dtype = resultType(x.dtype)
    const axes = tf.util.parseAxisParam(attributes.axis ?? attributes.reductionIndices!, x.shape)
    const shape = attributes.keepDims
      ? x.shape.map((size, i) => (axes.includes(i) ? 1 : size))
      : x.shape.filter((_, i) => !axes.includes(i))
    if (isEmpty(x)) return filled(backend, shape, none, dtype)
    return reduced(operator, x, axes, shape, dtype, attributes.keepDims ?? false, backend)
  })
}

function reduced(
  operator: string,
  x: TensorInfo,
  axes: number[],
  shape: number[],
  dtype: DataType,
  keepDims: boolean,
  backend: OnnxBackend,
): TensorInfo {
  const { graph } = backend
  if (axes.length === 0) return x.dtype === dtype ? backend.alias(x) : backend.output(backend.input(x), dtype)
  const type = typeOf(dtype) === 'bool' ? 'int32' : typeOf(dtype)
  const input = backend.input(x)
  const value = graph.cast(dtype === 'bool' ? graph.cast(input, 'bool') : input, type)
  const folded = graph.node(operator, [value, graph.ints(...axes)], type, shape, { keepdims: Number(keepDims) })
  return backend.output(folded, dtype)
}
