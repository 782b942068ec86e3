import { type FrozenWeight, type HeldWeight, inMemory, rowsOf } from '../../tensor/frozen-weight.ts'
import type { OnnxBackend } from './backend.ts'
import { filled, float, isEmpty, registerFused } from './kernel.ts'
import { elementType } from './model-proto.ts'
import type { Value } from './recorder.ts'

/** Kernels on frozen weights: the graph's input is the weight as it lies in memory, and the graph converts it to float32. */
export function registerFrozen(): void {
  // x [..., columns] -> x W^T [..., rows], or x [..., rows] -> x W [..., columns] when transposed.
  registerFused('FrozenLinear', ({ inputs, attributes, backend }) => {
    const { weight, transposed } = attributes
    const x = float(backend, inputs.x!)
    const shape = [...x.shape.slice(0, -1), transposed ? weight.columns : weight.rows]
    if (isEmpty({ shape })) return filled(backend, shape, 0, 'float32')
    return backend.output(frozenProduct(x, weight, transposed, backend))
  })
  // indices [...] -> rows [..., columns]
  registerFused('FrozenRows', ({ inputs, attributes, backend }) => {
    const { weight } = attributes
    const indices = inputs.indices!
    const shape = [...indices.shape, weight.columns]
    if (isEmpty({ shape })) return filled(backend, shape, 0, 'float32')
    return backend.output(pickedRows(weight, backend.graph.cast(backend.input(indices), 'int32'), shape, backend))
  })
  // -> rows start to start + rows [rows, columns]; which rows is not part of the graph's structure.
  registerFused('FrozenTile', ({ attributes, backend }) => {
    const tile = rowsOf(attributes.weight, attributes.start, attributes.rows)
    const shape = [tile.rows, tile.columns]
    if (tile.form === 'float32') {
      return { dataId: backend.write(tile.data, shape, 'float32'), shape, dtype: 'float32' }
    }
    return isEmpty({ shape }) ? filled(backend, shape, 0, 'float32') : backend.output(widened(tile, backend))
  })
}

/** x W^T, or x W where transposed. */
export function frozenProduct(x: Value, weight: FrozenWeight, transposed: boolean, backend: OnnxBackend): Value {
  const { graph } = backend
  const shape = [...x.shape.slice(0, -1), transposed ? weight.columns : weight.rows]
  const dense = widened(weight, backend)
  if (transposed) return graph.node('MatMul', [x, dense], 'float32', shape)
  return graph.node('FusedMatMul', [x, dense], 'float32', shape, { transA: 0, transB: 1 }, 'com.microsoft')
}

/** The weight as float32 [rows, columns]. */
export function widened(frozen: FrozenWeight, backend: OnnxBackend): Value {
  const { graph } = backend
  const weight = inMemory(frozen)
  const shape = [weight.rows, weight.columns]
  if (weight.form === 'int8') {
    const stored = graph.feed(weight.data, 'int8', shape)
    const scales = graph.feed(weight.scales, 'float32', [weight.rows])
    return graph.node('DequantizeLinear', [stored, scales], 'float32', shape, { axis: 0 })
  }
  return widenedFloats(feedFloats(weight, backend), weight.form, shape, backend)
}

/** Some rows of the weight as float32. They are picked before the conversion, so that only these are converted. */
export function pickedRows(
  frozen: FrozenWeight,
  indices: Value,
  shape: readonly number[],
  backend: OnnxBackend,
): Value {
  const { graph } = backend
  const weight = inMemory(frozen)
  const pick = (value: Value, picked: readonly number[]) =>
    graph.node('Gather', [value, indices], value.type, picked, { axis: 0 })
  if (weight.form === 'int8') {
    const stored = graph.feed(weight.data, 'int8', [weight.rows, weight.columns])
    const scales = graph.feed(weight.scales, 'float32', [weight.rows, 1])
    const scale = pick(scales, [...indices.shape, 1])
    return graph.node('Mul', [graph.cast(pick(stored, shape), 'float32'), scale], 'float32', shape)
  }
  return widenedFloats(pick(feedFloats(weight, backend), shape), weight.form, shape, backend)
}

function feedFloats(weight: Exclude<HeldWeight, { form: 'int8' }>, backend: OnnxBackend): Value {
  const type = weight.form === 'bfloat16' ? 'uint16' : weight.form
  return backend.graph.feed(weight.data, type, [weight.rows, weight.columns])
}

function widenedFloats(
  value: Value,
  form: 'float32' | 'float16' | 'bfloat16',
  shape: readonly number[],
  backend: OnnxBackend,
): Value {
  const { graph } = backend
  if (form !== 'bfloat16') return graph.cast(value, 'float32')
  // The addon takes no bfloat16 inputs, so its bits are an input of type uint16.
  const floats = graph.node('BitCast', [value], 'bfloat16', shape, { to: elementType.bfloat16 })
  return graph.cast(floats, 'float32')
}
