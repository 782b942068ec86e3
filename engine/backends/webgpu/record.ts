import { debug, tally } from '../../shared/log.ts'
import { tf, type DataType, type TensorInfo } from '../../tensor/tf.ts'
import type { FusedAttributes, FusedKernel } from '../fused-kernels.ts'
import { bufferOf, type CardBackend } from './backend.ts'
import { lanesFor } from './wgsl.ts'

/** A compute shader. `code` is called once a key. */
export interface Program {
  /** The kernel's name and every parameter that its code depends on. */
  key: string
  code: () => string
}

/** What a shader reads or writes, in the order of its bindings: tensors, or other buffers. */
export type Binding = TensorInfo | GPUBuffer

/** A uniform value: a plain number is a u32. */
export type Uniform = number | { float: number }

/** Work for the card, in workgroups. */
export type Groups = [x: number, y?: number, z?: number]

/** The largest number of workgroups along one axis that every card supports. */
const mostGroups = 65535

const pipelines = new WeakMap<GPUDevice, Map<string, { pipeline: GPUComputePipeline; layout: GPUBindGroupLayout }>>()

/** Adds one dispatch to what the back end has recorded. Bindings are numbered in order; the uniforms come last. */
export function dispatch(
  backend: CardBackend,
  program: Program,
  bindings: readonly Binding[],
  uniforms: readonly Uniform[],
  groups: Groups,
): void {
  const { pipeline, layout } = pipelineOf(backend.device, program)
  const buffers = bindings.map((binding) => (isTensor(binding) ? bufferOf(backend, binding) : binding))
  const entries = [...buffers, uniformBuffer(backend, uniforms)].map((buffer, binding) => ({
    binding,
    resource: { buffer },
  }))
  const bindGroup = backend.device.createBindGroup({ layout, entries })
  backend.ensureCommandEncoderReady()
  backend.computePassEncoder ??= backend.commandEncoder!.beginComputePass()
  const pass = backend.computePassEncoder
  pass.setPipeline(pipeline)
  pass.setBindGroup(0, bindGroup)
  pass.dispatchWorkgroups(...groups)
  // The back end must not free these tensors before the recorded work is submitted.
  for (const binding of bindings) if (isTensor(binding)) backend.commandQueueOwnedIds.add(binding.dataId)
  backend.dispatches++
  backend.dispatchCountInPass++
  if (backend.dispatchCountInPass >= tf.env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE')) backend.flush()
}

/** One invocation an element: workgroups of `size`, on two axes where one is too short. See `elementwise`. */
export function groupsFor(elements: number, size: number): Groups {
  const count = Math.ceil(elements / size)
  return count <= mostGroups ? [count] : [mostGroups, Math.ceil(count / mostGroups)]
}

/** A tensor on the card whose values a dispatch writes. */
export function output(backend: CardBackend, shape: readonly number[], dtype: DataType = 'float32'): TensorInfo {
  return backend.makeTensorInfo([...shape], dtype)
}

/** Registers a fused kernel for this back end; `fused-kernels.ts` says what each takes and gives. */
export function register<Name extends FusedKernel>(
  kernelName: Name,
  kernel: (call: {
    inputs: Record<string, TensorInfo>
    attributes: FusedAttributes[Name]
    backend: CardBackend
  }) => TensorInfo | TensorInfo[],
): void {
  if (tf.getKernel(kernelName, 'webgpu')) tf.unregisterKernel(kernelName, 'webgpu')
  tf.registerKernel({
    kernelName,
    backendName: 'webgpu',
    kernelFunc: ({ inputs, attrs, backend }) =>
      kernel({
        inputs: inputs as unknown as Record<string, TensorInfo>,
        attributes: attrs as unknown as FusedAttributes[Name],
        backend: backend as CardBackend,
      }),
  })
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1)

const isTensor = (binding: Binding): binding is TensorInfo => 'dataId' in binding

function pipelineOf(device: GPUDevice, { key, code }: Program) {
  let known = pipelines.get(device)
  if (!known) pipelines.set(device, (known = new Map()))
  let found = known.get(key)
  if (found) tally('shader', 'reused')
  else {
    const started = performance.now()
    const module = device.createShaderModule({ code: code(), label: key })
    const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module }, label: key })
    found = { pipeline, layout: pipeline.getBindGroupLayout(0) }
    known.set(key, found)
    debug('shader', () => `compiled ${key} in ${Math.round(performance.now() - started)} ms`)
  }
  return found
}

function uniformBuffer(backend: CardBackend, values: readonly Uniform[]): GPUBuffer {
  const bytes = new ArrayBuffer(16 * Math.ceil(values.length / 4))
  const view = new DataView(bytes)
  for (const [i, value] of values.entries()) {
    if (typeof value === 'number') view.setUint32(4 * i, value, true)
    else view.setFloat32(4 * i, value.float, true)
  }
  const buffer = backend.bufferManager.acquireBuffer(bytes.byteLength, GPUBufferUsage.COPY_DST | GPUBufferUsage.UNIFORM)
  backend.device.queue.writeBuffer(buffer, 0, bytes)
  backend.uniformPendingDisposal.push(buffer)
  return buffer
}

/** The rows of a tensor along its last axis, how long they are, and the lanes that share one. */
export function rowsOf({ shape }: TensorInfo): { size: number; rows: number; lanes: number } {
  const size = shape.at(-1)!
  return { size, rows: sizeOf(shape) / size, lanes: lanesFor(size) }
}
