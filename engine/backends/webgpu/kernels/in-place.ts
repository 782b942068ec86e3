import type { TensorInfo } from '../../../tensor/tf.ts'
import { bufferOf, type CardBackend, forgetRead } from '../backend.ts'
import { type Binding, dispatch, output, sizeOf, type Uniform } from '../record.ts'
import { declarations, floats } from '../wgsl.ts'
import { count } from './shared-bindings.ts'

/** How some small tensors of one shape are changed where they lie. */
export interface InPlace {
  /** Names the shader: everything that the code depends on. */
  key: string
  /** What of an item is read, and what is changed. */
  reads: readonly string[]
  changes: readonly string[]
  /** What all items share. */
  settings: readonly [name: string, type: 'f32'][]
  /** Code for element `at` of an item, whose arrays are named by `of`. */
  body: (of: (name: string) => string) => string
}

type Item = Record<string, TensorInfo>

/** Lanes of a workgroup, and workgroups that share an item at most. */
const [lanes, sharing] = [256, 256]

/**
 * Changes hundreds of small tensors, as many in a dispatch as the card has bindings for: what costs is to ask the card at all.
 * Of tensors that are changed, `changeable` gives what may be.
 */
export function changeInPlace(
  backend: CardBackend,
  change: InPlace,
  items: readonly Item[],
  settings: readonly Uniform[],
): void {
  const names = [...change.reads, ...change.changes]
  const bindings = Math.min(16, backend.device.limits.maxStorageBuffersPerShaderStage)
  const most = Math.floor(bindings / names.length)
  for (let first = 0; first < items.length; first += most) {
    // One shader for all but the last: no tensor may be bound twice where it is changed.
    const some = items.slice(first, first + most)
    const sizes = some.map((item) => sizeOf(item[names[0]!]!.shape))
    const bound = (which: readonly string[]): Binding[] => some.flatMap((item) => which.map((name) => item[name]!))
    dispatch(
      backend,
      { key: `${change.key} ${some.length}`, code: () => code(change, some.length) },
      [...bound(change.reads), ...bound(change.changes)],
      [...settings, ...sizes],
      [Math.min(sharing, Math.ceil(Math.max(...sizes) / lanes)), some.length],
    )
  }
}

const code = ({ reads, changes, settings, body }: InPlace, items: number) => `
${declarations(
  floats(...count(items).flatMap((i) => reads.map((name) => name + i))),
  floats(...count(items).flatMap((i) => changes.map((name) => name + i))),
  [...settings, ...count(items).map((i): [string, 'u32'] => [`count${i}`, 'u32'])],
)}
@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32
) {
  switch group.y {
    ${count(items)
      .map(
        (i) => `case ${i}u: {
      for (var at = group.x * ${lanes}u + lane; at < params.count${i}; at += groups.x * ${lanes}u) {
        ${body((name) => `${name}${i}[at]`)}
      }
    }`,
      )
      .join('\n    ')}
    default: {}
  }
}
`

/** A tensor to be changed in place: itself under a handle of its own, or a copy where somebody else holds it too. */
export function changeable(backend: CardBackend, tensor: TensorInfo): TensorInfo {
  const from = bufferOf(backend, tensor)
  if (backend.refCount(tensor.dataId) === 1) {
    backend.incRef(tensor.dataId)
    forgetRead(backend, tensor)
    return { ...tensor }
  }
  const copy = output(backend, tensor.shape)
  const to = bufferOf(backend, copy)
  backend.ensureCommandEncoderReady()
  backend.endComputePassEncoder()
  backend.commandEncoder!.copyBufferToBuffer(from, 0, to, 0, from.size)
  for (const { dataId } of [tensor, copy]) backend.commandQueueOwnedIds.add(dataId)
  return copy
}
