import type { TensorInfo } from '../../../tf.ts'
import type { CardBackend } from '../backend.ts'
import { type Binding, dispatch, groupsFor, output } from '../record.ts'
import { declarations, floats } from '../wgsl.ts'
import { scaleOf } from './product.ts'

/** A product with a matrix of few rows: scale * (keep x) matrix^T. */
export interface NarrowItem {
  /** [m, width] */
  x: TensorInfo
  width: number
  /** [rank, width], or [width, rank] where it is `tall`. */
  matrix: TensorInfo
  tall: boolean
  rank: number
  scale: number
  keep?: TensorInfo | undefined
}

export interface NarrowResult {
  /** The products one after the other, each [m, rank]. */
  low: TensorInfo
  offsets: number[]
  /** The power of two for every row of every item's x (see `scaleOf`), where they were wanted. */
  rowScales: TensorInfo | null
}

/** Lanes that add up one element together, and elements of a row that a workgroup has at once. */
const [lanes, elements] = [16, 8]

/** x A^T or dy B of several projections at once: each row of x is read by one workgroup. */
export function narrow(
  backend: CardBackend,
  items: readonly NarrowItem[],
  m: number,
  wantsScales: boolean,
): NarrowResult {
  const offsets: number[] = []
  let size = 0
  for (const { rank } of items) {
    offsets.push(size)
    size += m * rank
  }
  const low = output(backend, [size])
  const rowScales = wantsScales ? output(backend, [items.length * m]) : null
  // Items of one x share its binding.
  const most = backend.device.limits.maxStorageBuffersPerShaderStage - (wantsScales ? 2 : 1)
  let first = 0
  while (first < items.length) {
    let end = first + 1
    while (end < items.length && bindingsOf(items.slice(first, end + 1)).length <= most) end++
    const group = items.slice(first, end)
    const bindings = bindingsOf(group)
    const plan = group.map(({ x, matrix, keep, tall }) => ({
      x: bindings.indexOf(x),
      matrix: bindings.indexOf(matrix),
      keep: keep ? bindings.indexOf(keep) : null,
      tall,
    }))
    dispatch(
      backend,
      { key: `narrow ${wantsScales} ${JSON.stringify(plan)}`, code: () => code(plan, bindings.length, wantsScales) },
      [...bindings, low, ...(rowScales ? [rowScales] : [])],
      [
        m,
        ...group.flatMap(({ width, rank, scale }, i) => [
          width,
          rank,
          offsets[first + i]!,
          (first + i) * m,
          { float: scale },
        ]),
      ],
      groupsFor(m, 1),
    )
    first = end
  }
  return { low, offsets, rowScales }
}

const bindingsOf = (items: readonly NarrowItem[]): Binding[] => {
  const found: TensorInfo[] = []
  for (const { x, matrix, keep } of items)
    for (const tensor of [x, matrix, ...(keep ? [keep] : [])]) if (!found.includes(tensor)) found.push(tensor)
  return found
}

interface Plan {
  x: number
  matrix: number
  keep: number | null
  tall: boolean
}

const code = (plan: readonly Plan[], bindings: number, scales: boolean) => `
${declarations(
  floats(...Array.from({ length: bindings }, (_, i) => `input${i}`)),
  floats('low', ...(scales ? ['row_scales'] : [])),
  [
    ['rows', 'u32'],
    ...plan.flatMap((_, i): [string, 'u32' | 'f32'][] => [
      [`width${i}`, 'u32'],
      [`rank${i}`, 'u32'],
      [`offset${i}`, 'u32'],
      [`scale_offset${i}`, 'u32'],
      [`scale${i}`, 'f32'],
    ]),
  ],
)}
const LANES = ${lanes}u;
const ELEMENTS = ${elements}u;
var<workgroup> partial: array<f32, ${lanes * elements}>;
${scaleOf}
@compute @workgroup_size(${lanes * elements})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32
) {
  let row = group.x + group.y * groups.x;
  if (row >= params.rows) { return; }
  let within = lane % LANES;
  let element = lane / LANES;
  ${plan.map((item, i) => (scales ? scaleCode(item, i, plan) : '') + itemCode(item, i)).join('')}
}
`

const itemCode = ({ x, matrix, keep, tall }: Plan, i: number) => `
  for (var first = 0u; first < params.rank${i}; first += ELEMENTS) {
    let r = first + element;
    var sum = 0.0;
    if (r < params.rank${i}) {
      for (var c = within; c < params.width${i}; c += LANES) {
        let at = row * params.width${i} + c;
        sum += input${x}[at]${keep === null ? '' : ` * input${keep}[at]`} * input${matrix}[${
          tall ? `c * params.rank${i} + r` : `r * params.width${i} + c`
        }];
      }
    }
    partial[lane] = sum;
    workgroupBarrier();
    if (within == 0u && r < params.rank${i}) {
      var all = 0.0;
      for (var l = 0u; l < LANES; l++) { all += partial[lane + l]; }
      low[params.offset${i} + row * params.rank${i} + r] = all * params.scale${i};
    }
    workgroupBarrier();
  }
`

/** The scale of a row, once for items that share their x. */
function scaleCode({ x }: Plan, i: number, plan: readonly Plan[]): string {
  if (plan.findIndex((item) => item.x === x) !== i) return ''
  return `
  {
    var top = 0.0;
    for (var c = lane; c < params.width${i}; c += LANES * ELEMENTS) {
      top = max(top, abs(input${x}[row * params.width${i} + c]));
    }
    partial[lane] = top;
    workgroupBarrier();
    if (lane == 0u) {
      for (var l = 0u; l < LANES * ELEMENTS; l++) { top = max(top, partial[l]); }
      row_scales[params.scale_offset${i} + row] = scale_of(top);
    }
    workgroupBarrier();
  }
`
}
