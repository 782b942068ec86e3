import { tf, type TensorInfo } from '../../tensor/tf.ts'
import type { OnnxBackend } from './backend.ts'
import { fill, isEmpty, register, transpose, typeOf } from './kernel.ts'
import { sizeOf } from './recorder.ts'
import { padded, sliced } from './shape.ts'

/** Kernels that exchange blocks of an image for batches or channels. */
export function registerBlocks(): void {
  register<{ blockShape: number[]; paddings: [number, number][] }>('SpaceToBatchND', spaceToBatch)
  register<{ blockShape: number[]; crops: [number, number][] }>('BatchToSpaceND', batchToSpace)
  register<{ blockSize: number; dataFormat: 'NHWC' | 'NCHW' }>('DepthToSpace', depthToSpace)
}

function spaceToBatch(call: {
  inputs: Record<string, TensorInfo>
  attributes: { blockShape: number[]; paddings: [number, number][] }
  backend: OnnxBackend
}): TensorInfo {
  const { backend, attributes } = call
  const x = call.inputs.x!
  const { blockShape } = attributes
  const block = sizeOf(blockShape)
  const paddings: [number, number][] = [[0, 0], ...attributes.paddings]
  while (paddings.length < x.shape.length) paddings.push([0, 0])
  const value = isEmpty(x) ? fill(backend, x.shape, 0, typeOf(x.dtype)) : padded(backend.input(x), paddings, 0, backend)
  const { getReshaped, getPermuted, getReshapedPermuted } = tf.backend_util
  const grid = getReshaped([...value.shape], blockShape, block, false)
  const permutation = getPermuted(grid.length, blockShape.length, false)
  const shape = getReshapedPermuted([...value.shape], blockShape, block, false)
  const moved = transpose(backend, backend.graph.reshape(value, grid), permutation)
  return backend.output(backend.graph.reshape(moved, shape), x.dtype)
}

function batchToSpace(call: {
  inputs: Record<string, TensorInfo>
  attributes: { blockShape: number[]; crops: [number, number][] }
  backend: OnnxBackend
}): TensorInfo {
  const { backend, attributes } = call
  const x = call.inputs.x!
  const { blockShape, crops } = attributes
  const block = sizeOf(blockShape)
  const { getReshaped, getPermuted, getReshapedPermuted } = tf.backend_util
  const grid = getReshaped(x.shape, blockShape, block)
  const permutation = getPermuted(grid.length, blockShape.length)
  const shape = getReshapedPermuted(x.shape, blockShape, block)
  const value = backend.graph.reshape(
    transpose(backend, backend.graph.reshape(backend.input(x), grid), permutation),
    shape,
  )
  const begin = shape.map((_, axis) => crops[axis - 1]?.[0] ?? 0)
  const size = shape.map((length, axis) => length - begin[axis]! - (crops[axis - 1]?.[1] ?? 0))
  return backend.output(
    size.every((length, i) => length === shape[i]) ? value : sliced(value, begin, size, backend),
    x.dtype,
  )
}

function depthToSpace(call: {
  inputs: Record<string, TensorInfo>
  attributes: { blockSize: number; dataFormat: 'NHWC' | 'NCHW' }
  backend: OnnxBackend
}): TensorInfo {
  const { backend } = call
  const { blockSize: b, dataFormat } = call.attributes
  const x = call.inputs.x!
  tf.util.assert(dataFormat === 'NHWC', () => 'depthToSpace takes NHWC images only')
  const [batch, height, width, depth] = x.shape as [number, number, number, number]
  const channels = depth / (b * b)
  const blocks = backend.graph.reshape(backend.input(x), [batch, height, width, b, b, channels])
  const moved = transpose(backend, blocks, [0, 1, 3, 2, 4, 5])
  return backend.output(backend.graph.reshape(moved, [batch, height * b, width * b, channels]), x.dtype)
}
