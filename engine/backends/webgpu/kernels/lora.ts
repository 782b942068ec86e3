import type { FrozenWeight } from '../../../frozen-weight.ts'
import type { TensorInfo } from '../../../tf.ts'
import { arithmeticOf } from '../arithmetic.ts'
import type { CardBackend } from '../backend.ts'
import { dispatch, output, register } from '../record.ts'
import { declarations, floats } from '../wgsl.ts'
import { narrow, type NarrowItem } from './narrow.ts'
import { product } from './product.ts'
import { scalesRows } from './product-wgsl.ts'

interface Attributes {
  weights: FrozenWeight[]
  scales: number[]
}
type Inputs = Record<string, TensorInfo>

/**
 * Frozen linear layers with what their adapters add, in few dispatches: the narrow products of all projections of an input
 * are one, and what they contribute is added where a frozen product is finished.
 */
export function registerLora(): void {
  register<Attributes>('LoraLinear', ({ inputs, attributes, backend }) => {
    const { weights } = attributes
    const x = inputs.x!
    const m = x.shape[0]!
    const scaled = scalesRows({ arithmetic: arithmeticOf(backend) })
    const { low, offsets, rowScales } = narrow(
      backend,
      weights.map((_, i) => inputItem(inputs, attributes, i)),
      m,
      scaled,
    )
    const ys = weights.map((weight, i) =>
      product(backend, x, weight, {
        transposed: false,
        lowRank: { low, offset: offsets[i]!, matrix: inputs[`b${i}`]!, rank: inputs[`b${i}`]!.shape[1]! },
        ...(rowScales && { rowScales: { scales: rowScales, offset: 0 } }),
      }),
    )
    release(backend, low, rowScales)
    return ys
  })
  register<Attributes>('LoraLinearInputGrad', ({ inputs, attributes, backend }) => {
    const { weights } = attributes
    const m = inputs.dy0!.shape[0]!
    const scaled = scalesRows({ arithmetic: arithmeticOf(backend) })
    const { low, offsets, rowScales } = narrow(
      backend,
      weights.map((_, i) => outputItem(inputs, attributes, i)),
      m,
      scaled,
    )
    let dx: TensorInfo | undefined
    for (const [i, weight] of weights.entries()) {
      const a = inputs[`a${i}`]!
      dx = product(backend, inputs[`dy${i}`]!, weight, {
        transposed: true,
        lowRank: { low, offset: offsets[i]!, matrix: a, rank: a.shape[0]!, keep: inputs[`keep${i}`] },
        into: dx,
        ...(rowScales && { rowScales: { scales: rowScales, offset: i * m } }),
      })
    }
    release(backend, low, rowScales)
    return dx!
  })
  register<Attributes>('LoraLinearGrad', ({ inputs, attributes, backend }) =>
    attributes.weights.flatMap((_, i) => adapterGradients(backend, inputs, attributes, i)),
  )
}

/** scale * (keep x) A^T */
const inputItem = (inputs: Inputs, { scales }: Attributes, i: number): NarrowItem => {
  const matrix = inputs[`a${i}`]!
  const [rank, width] = matrix.shape as [number, number]
  return { x: inputs.x!, width, matrix, tall: false, rank, scale: scales[i]!, keep: inputs[`keep${i}`] }
}

/** scale * dy B */
const outputItem = (inputs: Inputs, { scales }: Attributes, i: number): NarrowItem => {
  const matrix = inputs[`b${i}`]!
  const [width, rank] = matrix.shape as [number, number]
  return { x: inputs[`dy${i}`]!, width, matrix, tall: true, rank, scale: scales[i]! }
}

/** dA = (scale dy B)^T (keep x) and dB = dy^T (scale (keep x) A^T) of one projection. */
function adapterGradients(
  backend: CardBackend,
  inputs: Inputs,
  attributes: Attributes,
  i: number,
): [TensorInfo, TensorInfo] {
  const x = inputs.x!
  const dy = inputs[`dy${i}`]!
  const keep = inputs[`keep${i}`]
  const [a, b] = [inputs[`a${i}`]!, inputs[`b${i}`]!]
  const [m, width] = x.shape as [number, number]
  const [outputs, rank] = b.shape as [number, number]
  const { low, offsets } = narrow(
    backend,
    [inputItem(inputs, attributes, i), outputItem(inputs, attributes, i)],
    m,
    false,
  )
  const da = output(backend, a.shape)
  const db = output(backend, b.shape)
  dispatch(
    backend,
    { key: `outerSums ${keep !== undefined}`, code: () => outerSums(keep !== undefined) },
    [x, ...(keep ? [keep] : []), dy, low, da, db],
    [m, width, outputs, rank, offsets[1]!],
    [Math.ceil(width / columns) + Math.ceil(outputs / columns), Math.ceil(rank / ranks)],
  )
  release(backend, low)
  return [da, db]
}

/** Columns that a workgroup has, rows that it takes at once, and elements of the rank. */
const [columns, parallel, ranks] = [16, 8, 8]

// Workgroups up to the width of x have columns of dA, those beyond have rows of dB: both are sums over all rows of a column
// times an element of a narrow product.
const outerSums = (keep: boolean) => `
${declarations(floats('x', ...(keep ? ['keep'] : []), 'dy', 'low'), floats('da', 'db'), [
  ['rows', 'u32'],
  ['width', 'u32'],
  ['outputs', 'u32'],
  ['rank', 'u32'],
  ['gradient_offset', 'u32'],
])}
const COLUMNS = ${columns}u;
const PARALLEL = ${parallel}u;
const RANKS = ${ranks}u;
var<workgroup> partial: array<f32, ${columns * parallel * ranks}>;
@compute @workgroup_size(${columns * parallel})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let groups_of_a = (params.width + COLUMNS - 1u) / COLUMNS;
  let for_a = group.x < groups_of_a;
  let column = (group.x - select(groups_of_a, 0u, for_a)) * COLUMNS + lane % COLUMNS;
  let size = select(params.outputs, params.width, for_a);
  let offset = select(0u, params.gradient_offset, for_a);
  let first = group.y * RANKS;
  var sums: array<f32, ${ranks}>;
  if (column < size) {
    for (var row = lane / COLUMNS; row < params.rows; row += PARALLEL) {
      let at = row * size + column;
      var value = 0.0;
      if (for_a) { value = x[at]${keep ? ' * keep[at]' : ''}; } else { value = dy[at]; }
      for (var r = 0u; r < min(RANKS, params.rank - first); r++) {
        sums[r] += value * low[offset + row * params.rank + first + r];
      }
    }
  }
  for (var r = 0u; r < RANKS; r++) { partial[r * COLUMNS * PARALLEL + lane] = sums[r]; }
  workgroupBarrier();
  // Now a lane has a column and an element of the rank.
  let r = lane / COLUMNS;
  if (column >= size || first + r >= params.rank) { return; }
  var all = 0.0;
  for (var p = 0u; p < PARALLEL; p++) { all += partial[r * COLUMNS * PARALLEL + p * COLUMNS + lane % COLUMNS]; }
  if (for_a) { da[(first + r) * params.width + column] = all; } else { db[column * params.rank + first + r] = all; }
}
`

function release(backend: CardBackend, ...tensors: (TensorInfo | null)[]): void {
  for (const tensor of tensors) if (tensor) backend.disposeData(tensor.dataId)
}
