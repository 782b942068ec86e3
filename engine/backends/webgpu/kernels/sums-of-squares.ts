import type { TensorInfo } from '../../../tensor/tf.ts'
import { dispatch, output, register, sizeOf } from '../record.ts'
import { declarations, floats, reductions } from '../wgsl.ts'
import { count } from './shared-bindings.ts'

/** Workgroups that share a tensor, and lanes of each. */
const [sharing, lanes] = [16, 256]

// Workgroups (part, tensor): which tensor it is decides which binding is read.
const partialSums = (tensors: number) => `
${declarations(floats(...count(tensors).map((i) => `x${i}`)), floats('sums'), [
  ['first', 'u32'],
  ...count(tensors).map((i): [string, 'u32'] => [`count${i}`, 'u32']),
])}
${reductions(lanes)}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  switch group.y {
    ${count(tensors)
      .map(
        (i) => `case ${i}u: {
      for (var at = group.x * LANES + lane; at < params.count${i}; at += ${sharing}u * LANES) { sum += x${i}[at] * x${i}[at]; }
    }`,
      )
      .join('\n    ')}
    default: {}
  }
  let all = total(sum, lane);
  if (lane == 0u) { sums[(params.first + group.y) * ${sharing}u + group.x] = all; }
}
`

/** Hundreds of small tensors, as many in a dispatch as the card has bindings for: what costs here is to ask the card at all. */
export function registerSumsOfSquares(): void {
  register('SumsOfSquares', ({ inputs, backend }) => {
    const tensors: TensorInfo[] = Object.values(inputs)
    const most = Math.min(15, backend.device.limits.maxStorageBuffersPerShaderStage - 1)
    const sums = output(backend, [tensors.length * sharing])
    for (let first = 0; first < tensors.length; first += most) {
      const some = tensors.slice(first, first + most)
      // One shader for all: what it has bindings for beyond the last tensor is bound again and counts nothing.
      const rest = count(most - some.length)
      dispatch(
        backend,
        { key: 'SumsOfSquares', code: () => partialSums(most) },
        [...some, ...rest.map(() => some[0]!), sums],
        [first, ...some.map(({ shape }) => sizeOf(shape)), ...rest.map(() => 0)],
        [sharing, some.length],
      )
    }
    return sums
  })
}
