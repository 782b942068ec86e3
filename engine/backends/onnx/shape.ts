import { type DataType, tf, type TensorInfo } from '../../tensor/tf.ts'
import type { OnnxBackend } from './backend.ts'
import { filled, isEmpty, register, transpose, typeOf } from './kernel.ts'
import { sizeOf, type Value } from './recorder.ts'

/** Kernels that move elements without computing. */
export function registerShapes(): void {
  register('Identity', ({ inputs, backend }) => backend.alias(inputs.x!))
  register<{ shape: number[] }>('Reshape', ({ inputs, attributes, backend }) => {
    const x = inputs.x!
    const shape = tf.util.inferFromImplicitShape(attributes.shape, sizeOf(x.shape))
    tf.util.assert(sizeOf(shape) === sizeOf(x.shape), () => `[${x.shape}] cannot be reshaped to [${shape}]`)
    return backend.alias(x, shape)
  })
  register<{ dim: number }>('ExpandDims', ({ inputs, attributes, backend }) => {
    const shape = [...inputs.input!.shape]
    shape.splice(attributes.dim < 0 ? attributes.dim + shape.length + 1 : attributes.dim, 0, 1)
    return backend.alias(inputs.input!, shape)
  })
  register<{ perm: number[] }>('Transpose', ({ inputs, attributes, backend }) => {
    const x = inputs.x!
    const shape = attributes.perm.map((axis) => x.shape[axis]!)
    // Axes of size 1 carry no data: moving only those is a reshape.
    const moved = attributes.perm.filter((axis) => x.shape[axis] !== 1)
    if (moved.every((axis, i) => i === 0 || axis > moved[i - 1]!)) return backend.alias(x, shape)
    return backend.output(transpose(backend, backend.input(x), attributes.perm), x.dtype)
  })
  register<{ begin: number | number[]; size: number | number[] }>('Slice', ({ inputs, attributes, backend }) => {
    const x = inputs.x! as TensorInfo & Parameters<typeof tf.slice_util.parseSliceParams>[0]
    const [begin, size] = tf.slice_util.parseSliceParams(x, attributes.begin, attributes.size) as [number[], number[]]
    tf.slice_util.assertParamsValid(x, begin, size)
    return slice(x, begin, size, backend)
  })
  register<StridedSlice>('StridedSlice', stridedSlice)
  register<{ axis: number }>('Concat', ({ inputs, attributes, backend }) => {
    const tensors = Object.values(inputs)
    const [axis] = tf.util.parseAxisParam(attributes.axis, tensors[0]!.shape) as [number]
    return concat(tensors, axis, backend)
  })
  register<{ axis: number }>('Pack', ({ inputs, attributes, backend }) => {
    const tensors = Object.values(inputs)
    const rank = tensors[0]!.shape.length
    const axis = attributes.axis < 0 ? attributes.axis + rank + 1 : attributes.axis
    const expanded = tensors.map((tensor) => ({ ...tensor, shape: tensor.shape.toSpliced(axis, 0, 1) }))
    return concat(expanded, axis, backend)
  })
  register<{ axis: number }>('Unpack', ({ inputs, attributes, backend }) => {
    const value = inputs.value!
    const [axis] = tf.util.parseAxisParam(attributes.axis, value.shape) as [number]
    return split(value, axis, Array<number>(value.shape[axis]!).fill(1), backend, value.shape.toSpliced(axis, 1))
  })
  register<{ numOrSizeSplits: number | number[]; axis: number }>('SplitV', ({ inputs, attributes, backend }) => {
    const x = inputs.x! as TensorInfo & Parameters<typeof tf.backend_util.prepareSplitSize>[0]
    const [axis] = tf.util.parseAxisParam(attributes.axis, x.shape) as [number]
    return split(x, axis, tf.backend_util.prepareSplitSize(x, attributes.numOrSizeSplits, axis), backend)
  })
  register<{ reps: number[] }>('Tile', ({ inputs, attributes, backend }) => {
    const x = inputs.x!
    const { reps } = attributes
    const shape = x.shape.map((size, i) => size * reps[i]!)
    if (reps.every((count) => count === 1)) return backend.alias(x)
    const { graph } = backend
    const onlyBroadcast = reps.every((count, i) => count === 1 || x.shape[i] === 1)
    return backend.output(
      onlyBroadcast
        ? graph.node('Expand', [backend.input(x), graph.ints(...shape)], typeOf(x.dtype), shape)
        : graph.node('Tile', [backend.input(x), graph.ints(...reps)], typeOf(x.dtype), shape),
      x.dtype,
    )
  })
  register<{ shape: number[] }>('BroadcastTo', ({ inputs, attributes, backend }) => {
    const x = inputs.x!
    const { graph } = backend
    const shape = attributes.shape
    return backend.output(
      graph.node('Expand', [backend.input(x), graph.ints(...shape)], typeOf(x.dtype), shape),
      x.dtype,
    )
  })
  register<{ paddings: [number, number][]; constantValue: number }>('PadV2', ({ inputs, attributes, backend }) =>
    pad(inputs.x!, attributes.paddings, attributes.constantValue, backend),
  )
  register<{ paddings: [number, number][]; mode: 'reflect' | 'symmetric' }>('MirrorPad', mirrorPad)
  register<{ dims: number | number[] }>('Reverse', ({ inputs, attributes, backend }) => {
    const x = inputs.x!
    const axes = tf.util.parseAxisParam(attributes.dims, x.shape)
    if (axes.length === 0) return backend.alias(x)
    return backend.output(reversed(backend.input(x), axes, backend), x.dtype)
  })
  register('ZerosLike', ({ inputs, backend }) => filled(backend, inputs.x!.shape, 0, inputs.x!.dtype))
  register('OnesLike', ({ inputs, backend }) => filled(backend, inputs.x!.shape, 1, inputs.x!.dtype))
  register<{ shape: number[]; value: number; dtype?: DataType }>('Fill', ({ attributes, backend }) =>
    filled(backend, attributes.shape, attributes.value, attributes.dtype ?? tf.util.inferDtype(attributes.value)),
  )
  register<{ start: number; stop: number; step: number; dtype: 'float32' | 'int32' }>('Range', (call) => {
    const { start, stop, step, dtype } = call.attributes
    const forwards = start < stop && step > 0
    const backwards = start > stop && step < 0
    const count = start === stop || (!forwards && !backwards) ? 0 : Math.abs(Math.ceil((stop - start) / step))
    const values = dtype === 'int32' ? new Int32Array(count) : new Float32Array(count)
    for (let i = 0; i < count; i++) values[i] = start + i * step
    return { dataId: call.backend.write(values, [count], dtype), shape: [count], dtype }
  })
  register<{ start: number; stop: number; num: number }>('LinSpace', ({ attributes, backend }) => {
    const { start, stop, num } = attributes
    const values = new Float32Array(num)
    for (let i = 0; i < num; i++) values[i] = start + (i * (stop - start)) / Math.max(1, num - 1)
    return { dataId: backend.write(values, [num], 'float32'), shape: [num], dtype: 'float32' }
  })
}

export function slice(x: TensorInfo, begin: number[], size: number[], backend: OnnxBackend): TensorInfo {
  if (size.every((length, i) => length === x.shape[i])) return backend.alias(x)
  return backend.output(sliced(backend.input(x), begin, size, backend), x.dtype)
}

export function sliced(value: Value, begin: readonly number[], size: readonly number[], backend: OnnxBackend): Value {
  const axes = value.shape.flatMap((length, i) => (length === size[i] ? [] : [i]))
  const { graph } = backend
  const starts = graph.ints(...axes.map((i) => begin[i]!))
  const ends = graph.ints(...axes.map((i) => begin[i]! + size[i]!))
  return graph.node('Slice', [value, starts, ends, graph.ints(...axes)], value.type, size)
}

interface StridedSlice {
  begin: number[]
  end: number[]
  strides: number[]
  beginMask: number
  endMask: number
  ellipsisMask: number
  newAxisMask: number
  shrinkAxisMask: number
}

function stridedSlice(call: { inputs: Record<string, TensorInfo>; attributes: StridedSlice; backend: OnnxBackend }) {
  const { attributes: a, backend } = call
  const x = call.inputs.x!
  const { finalShape, isIdentity, begin, end, strides } = tf.slice_util.sliceInfo(
    x.shape,
    a.begin,
    a.end,
    a.strides,
    a.beginMask,
    a.endMask,
    a.ellipsisMask,
    a.newAxisMask,
    a.shrinkAxisMask,
  )
  if (isIdentity) return backend.alias(x, finalShape)
  const { graph } = backend
  const length = tf.slice_util.computeOutShape(begin, end, strides)
  // A backward slice that ends before the first element has the end -1, which ONNX would count from the back.
  const ends = end.map((last, i) => (strides[i]! < 0 && last < 0 ? -(2 ** 31) : last))
  const steps = [graph.ints(...begin), graph.ints(...ends), graph.ints(...begin.keys()), graph.ints(...strides)]
  const value = graph.node('Slice', [backend.input(x), ...steps], typeOf(x.dtype), length)
  return backend.output(graph.reshape(value, finalShape), x.dtype)
}

function concat(tensors: TensorInfo[], axis: number, backend: OnnxBackend): TensorInfo {
  const shape = [...tensors[0]!.shape]
  shape[axis] = tensors.reduce((sum, tensor) => sum + tensor.shape[axis]!, 0)
  const full = tensors.filter((tensor) => !isEmpty(tensor))
  if (full.length === 0) return filled(backend, shape, 0, tensors[0]!.dtype)
  if (full.length === 1) return backend.alias(full[0]!, shape)
  const values = full.map((tensor) => backend.input(tensor))
  return backend.output(backend.graph.node('Concat', values, values[0]!.type, shape, { axis }), full[0]!.dtype)
}

function split(x: TensorInfo, axis: number, sizes: number[], backend: OnnxBackend, shape?: number[]): TensorInfo[] {
  const shapes = sizes.map((size) => x.shape.with(axis, size))
  if (sizes.length === 1) return [backend.alias(x, shape ?? shapes[0]!)]
  if (isEmpty(x)) return shapes.map((part) => filled(backend, shape ?? part, 0, x.dtype))
  const { graph } = backend
  const type = typeOf(x.dtype)
  const outputs = shapes.map((part) => ({ type, shape: part }))
  const parts = graph.nodes('Split', [backend.input(x), graph.ints(...sizes)], outputs, { axis })
  return parts.map((part) => backend.output(shape ? graph.reshape(part, shape) : part, x.dtype))
}

export function pad(x: TensorInfo, paddings: [number, number][], constant: number, backend: OnnxBackend): TensorInfo {
  const shape = x.shape.map((size, i) => size + paddings[i]![0] + paddings[i]![1])
  if (paddings.every(([before, after]) => before === 0 && after === 0)) return backend.alias(x)
  if (isEmpty(x)) return filled(backend, shape, constant, x.dtype)
  return backend.output(padded(backend.input(x), paddings, constant, backend), x.dtype)
}

export function padded(value: Value, paddings: [number, number][], constant: number, backend: OnnxBackend): Value {
  const { graph } = backend
  const shape = value.shape.map((size, i) => size + paddings[i]![0] + paddings[i]![1])
  const pads = graph.ints(...paddings.map(([before]) => before), ...paddings.map(([, after]) => after))
  const filler = graph.constant(
    value.type === 'int32' || value.type === 'bool' ? value.type : 'float32',
    [constant],
    [],
  )
  return graph.node('Pad', [value, pads, filler], value.type, shape, { mode: 'constant' })
}

function mirrorPad(call: {
  inputs: Record<string, TensorInfo>
  attributes: { paddings: [number, number][]; mode: 'reflect' | 'symmetric' }
  backend: OnnxBackend
}): TensorInfo {
  const { backend, attributes } = call
  const { graph } = backend
  const x = call.inputs.x!
  const offset = attributes.mode === 'reflect' ? 0 : 1
  // ONNX has no symmetric mode, so each padded axis is a gather of mirrored positions.
  let value = backend.input(x)
  for (const [axis, [before, after]] of attributes.paddings.entries()) {
    if (before === 0 && after === 0) continue
    const size = value.shape[axis]!
    const positions = Array.from({ length: before + size + after }, (_, i) => {
      const at = i - before
      return at < 0 ? -at - offset : at >= size ? 2 * (size - 1) - at + offset : at
    })
    const shape = value.shape.with(axis, positions.length)
    value = graph.node('Gather', [value, graph.ints(...positions)], value.type, shape, { axis })
  }
  return backend.output(value, x.dtype)
}

export function reversed(value: Value, axes: readonly number[], backend: OnnxBackend): Value {
  const { graph } = backend
  const starts = graph.ints(...axes.map(() => -1))
  const ends = graph.ints(...axes.map(() => -(2 ** 31)))
  const steps = graph.ints(...axes.map(() => -1))
  return graph.node('Slice', [value, starts, ends, graph.ints(...axes), steps], value.type, value.shape)
}
