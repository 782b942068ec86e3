import { type DataType, tf, type TensorInfo } from '../../tensor/tf.ts'
import type { OnnxBackend } from './backend.ts'
import { fill, filled, isEmpty, numeric, register, transpose, typeOf } from './kernel.ts'
import { sizeOf, type Value } from './recorder.ts'
import { sliced } from './shape.ts'

/** Kernels that pick or place elements by index or condition. */
export function registerGathers(): void {
  register<{ axis: number; batchDims: number }>('GatherV2', gather)
  register('GatherNd', ({ inputs, backend }) => {
    const params = inputs.params!
    const indices = inputs.indices!
    const depth = indices.shape.at(-1)!
    const shape = [...indices.shape.slice(0, -1), ...params.shape.slice(depth)]
    if (isEmpty({ shape })) return filled(backend, shape, 0, params.dtype)
    const { graph } = backend
    const at = graph.cast(backend.input(indices), 'int64')
    return backend.output(
      graph.node('GatherND', [backend.input(params), at], typeOf(params.dtype), shape),
      params.dtype,
    )
  })
  register<{ shape: number[] }>('ScatterNd', ({ inputs, attributes, backend }) => {
    const { shape } = attributes
    const { indices, updates } = inputs
    if (isEmpty(updates!) || isEmpty({ shape })) return filled(backend, shape, 0, updates!.dtype)
    const depth = indices!.shape.at(-1)!
    const rows = sizeOf(shape.slice(0, depth))
    const strides = shape.slice(0, depth).map((_, i) => sizeOf(shape.slice(i + 1, depth)))
    const { graph } = backend
    const at = backend.input(indices!)
    const count = sizeOf(at.shape.slice(0, -1))
    const weighted = graph.node(
      'Mul',
      [graph.reshape(at, [count, depth]), graph.constant('int32', strides, [depth])],
      'int32',
      [count, depth],
    )
    const flat = graph.node('ReduceSum', [weighted, graph.ints(1)], 'int32', [count], { keepdims: 0 })
    const rowSize = sizeOf(shape.slice(depth))
    const values = graph.reshape(numeric(backend, updates!), [count, rowSize])
    return backend.output(graph.reshape(addRows(values, flat, rows, backend), shape), updates!.dtype)
  })
  register('TensorScatterUpdate', ({ inputs, backend }) => {
    const { tensor, indices, updates } = inputs
    if (isEmpty(updates!)) return backend.alias(tensor!)
    const { graph } = backend
    const at = graph.cast(backend.input(indices!), 'int64')
    const operands = [backend.input(tensor!), at, backend.input(updates!)]
    return backend.output(graph.node('ScatterND', operands, typeOf(tensor!.dtype), tensor!.shape), tensor!.dtype)
  })
  register<{ numSegments: number }>('UnsortedSegmentSum', ({ inputs, attributes, backend }) => {
    const x = inputs.x!
    const ids = inputs.segmentIds!
    const { numSegments } = attributes
    const shape = [numSegments, ...x.shape.slice(ids.shape.length)]
    if (isEmpty(x) || numSegments === 0) return filled(backend, shape, 0, x.dtype)
    const { graph } = backend
    const count = sizeOf(ids.shape)
    const at = graph.reshape(backend.input(ids), [count])
    const values = graph.reshape(numeric(backend, x), [count, sizeOf(x.shape) / count])
    return backend.output(graph.reshape(addRows(values, at, numSegments, backend), shape), x.dtype)
  })
  register<{ depth: number; onValue: number; offValue: number; dtype: DataType }>('OneHot', (call) => {
    const { depth, onValue, offValue, dtype } = call.attributes
    const { backend } = call
    const indices = call.inputs.indices!
    const shape = [...indices.shape, depth]
    if (isEmpty({ shape })) return filled(backend, shape, 0, dtype)
    const { graph } = backend
    const whole = (value: number) => graph.constant('int32', [value], [])
    const classes = graph.node('Range', [whole(0), whole(depth), whole(1)], 'int32', [depth])
    const column = graph.reshape(graph.cast(backend.input(indices), 'int32'), [...indices.shape, 1])
    const hit = graph.node('Equal', [column, classes], 'bool', shape)
    const type = dtype === 'float32' ? 'float32' : 'int32'
    const choices = [graph.constant(type, [onValue], []), graph.constant(type, [offValue], [])]
    return backend.output(graph.node('Where', [hit, ...choices], type, shape), dtype)
  })
  register('Select', ({ inputs, backend }) => {
    const { condition, t, e } = inputs
    const dtype = tf.upcastType(t!.dtype, e!.dtype)
    const { graph } = backend
    const test = graph.cast(backend.input(condition!), 'bool')
    const rank = t!.shape.length
    // A vector of conditions chooses whole rows.
    const rows =
      test.shape.length === 1 && rank > 1
        ? graph.reshape(test, [test.shape[0]!, ...Array<number>(rank - 1).fill(1)])
        : test
    const type = dtype === 'float32' ? 'float32' : 'int32'
    const choices = [t!, e!].map((tensor) => graph.cast(backend.input(tensor), type))
    return backend.output(graph.node('Where', [rows, ...choices], type, t!.shape), dtype)
  })
  register<{ k: number; sorted: boolean }>('TopK', ({ inputs, attributes, backend }) => {
    const x = inputs.x!
    const { k } = attributes
    const shape = x.shape.with(x.shape.length - 1, k)
    if (isEmpty({ shape })) return [filled(backend, shape, 0, x.dtype), filled(backend, shape, 0, 'int32')]
    const { graph } = backend
    const value = numeric(backend, x)
    const [values, indices] = graph.nodes(
      'TopK',
      [value, graph.ints(k)],
      [
        { type: value.type, shape },
        { type: 'int64', shape },
      ],
      { axis: x.shape.length - 1, largest: 1, sorted: Number(attributes.sorted) },
    )
    return [backend.output(values!, x.dtype), backend.output(indices!, 'int32')]
  })
  register<{ size: number }>('Bincount', ({ inputs, attributes, backend }) => {
    const { size } = attributes
    const weights = inputs.weights!
    const { dtype } = weights
    if (isEmpty(inputs.x!)) return filled(backend, [size], 0, dtype)
    const at = backend.input(inputs.x!)
    const amounts = isEmpty(weights) ? fill(backend, at.shape, 1, 'int32') : numeric(backend, weights)
    const column = backend.graph.reshape(amounts, [at.shape[0]!, 1])
    return backend.output(backend.graph.reshape(addRows(column, at, size, backend), [size]), dtype)
  })
}

function gather(call: {
  inputs: Record<string, TensorInfo>
  attributes: { axis: number; batchDims?: number }
  backend: OnnxBackend
}): TensorInfo {
  const { backend } = call
  const { graph } = backend
  const x = call.inputs.x!
  const indices = call.inputs.indices!
  const [axis] = tf.util.parseAxisParam(call.attributes.axis, x.shape) as [number]
  const batchDims = call.attributes.batchDims ?? 0
  const shape = [...x.shape.slice(0, axis), ...indices.shape.slice(batchDims), ...x.shape.slice(axis + 1)]
  if (isEmpty({ shape })) return filled(backend, shape, 0, x.dtype)
  const value = backend.input(x)
  const at = graph.cast(backend.input(indices), 'int32')
  if (batchDims === 0) return backend.output(graph.node('Gather', [value, at], value.type, shape, { axis }), x.dtype)

  // Each batch reads its own part: the parts are laid end to end and its indices moved to where its part begins.
  const batch = sizeOf(x.shape.slice(0, batchDims))
  const outer = sizeOf(x.shape.slice(batchDims, axis))
  const size = x.shape[axis]!
  const inner = sizeOf(x.shape.slice(axis + 1))
  const count = sizeOf(indices.shape) / batch
  const parts = transpose(backend, graph.reshape(value, [batch, outer, size, inner]), [0, 2, 1, 3])
  const whole = (number: number) => graph.constant('int32', [number], [])
  const starts = graph.node('Range', [whole(0), whole(batch * size), whole(size)], 'int32', [batch])
  const moved = graph.node('Add', [graph.reshape(at, [batch, count]), graph.reshape(starts, [batch, 1])], 'int32', [
    batch,
    count,
  ])
  const rows = graph.reshape(parts, [batch * size, outer, inner])
  const picked = graph.node('Gather', [rows, moved], value.type, [batch, count, outer, inner], { axis: 0 })
  return backend.output(graph.reshape(transpose(backend, picked, [0, 2, 1, 3]), shape), x.dtype)
}

/** out[r] = sum of the rows of `values` [count, width] whose entry of `at` [count] is r; other entries are dropped. */
function addRows(values: Value, at: Value, rows: number, backend: OnnxBackend): Value {
  const { graph } = backend
  const [count, width] = values.shape as [number, number]
  const whole = (value: number) => graph.constant('int32', [value], [])
  const tooSmall = graph.node('Less', [at, whole(0)], 'bool', [count])
  const tooLarge = graph.node('GreaterOrEqual', [at, whole(rows)], 'bool', [count])
  const outside = graph.node('Or', [tooSmall, tooLarge], 'bool', [count])
  const row = graph.node('Where', [outside, whole(rows), at], 'int32', [count])
  const everywhere = graph.node('Expand', [graph.reshape(row, [count, 1]), graph.ints(count, width)], 'int32', [
    count,
    width,
  ])
  const zeros = fill(backend, [rows + 1, width], 0, values.type)
  const summed = graph.node('ScatterElements', [zeros, everywhere, values], values.type, [rows + 1, width], {
    axis: 0,
    reduction: 'add',
  })
  return sliced(summed, [0, 0], [rows, width], backend)
}
