import type { TensorInfo } from '../../../tensor/tf.ts'
import type { CardBackend } from '../backend.ts'
import { dispatch, groupsFor, output } from '../record.ts'
import { declarations } from '../wgsl.ts'
import { count, parametersOfItem, runsOf, SharedBindings } from './shared-bindings.ts'

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

/** Elements from one row of a narrow product to the next: rows begin at multiples of four, and are filled up with zeros. */
export const paddedRank = (rank: number): number => 4 * Math.ceil(rank / 4)

/** Where each of several narrow products of m rows begins, and the size of all, where they lie one after the other. */
export function narrowOffsets(ranks: readonly number[], m: number): { offsets: number[]; size: number } {
  let size = 0
  const offsets = ranks.map((rank) => {
    size += m * paddedRank(rank)
    return size - m * paddedRank(rank)
  })
  return { offsets, size }
}

/** Rows of x that a workgroup has, elements of the rank that it has of them at once, and its lanes, which share the width. */
const [rows, elements, lanes] = [4, 8, 128]

/** x A^T or dy B of several projections at once: [m, paddedRank] each, where `narrowOffsets` says. */
export function narrow(backend: CardBackend, items: readonly NarrowItem[], m: number): TensorInfo {
  const { offsets, size } = narrowOffsets(
    items.map(({ rank }) => rank),
    m,
  )
  const low = output(backend, [size])
  // Items of one x share its binding.
  const most = backend.device.limits.maxStorageBuffersPerShaderStage - 1
  const [x, y = 1] = groupsFor(Math.ceil(m / rows), 1)
  for (const { first, run } of runsOf(items, (some) => planOf(some).bindings.tensors.length <= most)) {
    const { bindings, plan } = planOf(run)
    dispatch(
      backend,
      { key: `narrow ${JSON.stringify([bindings.types, plan])}`, code: () => code(bindings.types, plan) },
      [...bindings.tensors, low],
      [
        m,
        ...run.flatMap(({ width, rank, scale }, i) => [
          width,
          rank,
          paddedRank(rank),
          offsets[first + i]!,
          { float: scale },
        ]),
      ],
      [x, y, run.length],
    )
  }
  return low
}

/** How an item's sums are added up; numbers are places of bindings. */
interface Plan {
  x: number
  matrix: number
  keep: number | null
  tall: boolean
  /** Four neighbours of the matrix are read at once. */
  fours: boolean
}

function planOf(items: readonly NarrowItem[]): { bindings: SharedBindings; plan: Plan[] } {
  const bindings = new SharedBindings()
  const plan = items.map(({ x, matrix, keep, tall, width, rank }) => {
    const fours = (tall ? rank : width) % 4 === 0
    const wide = fours && !tall
    return {
      x: bindings.place(x, wide),
      matrix: bindings.place(matrix, fours),
      keep: keep ? bindings.place(keep, wide) : null,
      tall,
      fours,
    }
  })
  return { bindings, plan }
}

const sums = rows * elements
const halves = count(elements / 4)
/** Names of the sums of a lane, each of four elements. */
const sumNames = count(rows).flatMap((r) => halves.map((h) => `sum${r}${h}`))

// Only the loops over the width are written for each item: what comes after them is the same, and its barriers take long to
// compile on some cards.
const code = (types: readonly string[], plan: readonly Plan[]) => `
${declarations(
  types.map((type, i) => [`input${i}`, type]),
  [['low', 'f32']],
  [
    ['rows', 'u32'],
    ...plan.flatMap((_, i): [string, 'u32' | 'f32'][] => [
      [`width${i}`, 'u32'],
      [`rank${i}`, 'u32'],
      [`padded${i}`, 'u32'],
      [`offset${i}`, 'u32'],
      [`scale${i}`, 'f32'],
    ]),
  ],
)}
const LANES = ${lanes}u;
const ELEMENTS = ${elements}u;
const SHARE = ${lanes / sums}u;
// The sums of all lanes, element after element.
var<workgroup> partial: array<f32, ${lanes * sums}>;
@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32
) {
  let first_row = (group.x + group.y * groups.x) * ${rows}u;
  if (first_row >= params.rows) { return; }
  // Rows and elements that are not there are read as the last one, and not written.
  ${count(rows)
    .map((r) => `let row${r} = min(first_row + ${r}u, params.rows - 1u);`)
    .join('\n  ')}
  ${parametersOfItem(['rank', 'padded', 'offset', 'scale'], plan.length)}
  for (var first = 0u; first < rank; first += ELEMENTS) {
    ${sumNames.map((name) => `var ${name} = vec4<f32>(0.0);`).join(' ')}
    ${plan.map((item, i) => `if (group.z == ${i}u) { ${item.tall && item.fours ? tallSums(item, i) : plainSums(item, i)} }`).join(' else ')}
    ${sumNames
      .flatMap((name, i) => count(4).map((e) => `partial[${4 * i + e}u * LANES + lane] = ${name}[${e}];`))
      .join(' ')}
    workgroupBarrier();
    // Now ${lanes / sums} lanes share an element; each element's are read in another order, so that no two are in one bank.
    let element = lane / SHARE;
    var all = 0.0;
    for (var l = 0u; l < LANES / SHARE; l++) {
      all += partial[element * LANES + (l ^ (element % ${32 / (lanes / sums)}u)) * SHARE + lane % SHARE];
    }
    workgroupBarrier();
    partial[lane] = all;
    workgroupBarrier();
    let row = first_row + lane / ELEMENTS;
    let r = first + lane % ELEMENTS;
    if (lane < ${sums}u && row < params.rows && r < padded) {
      let value = ${count(lanes / sums)
        .map((l) => `partial[lane * SHARE + ${l}u]`)
        .join(' + ')};
      low[offset + row * padded + r] = select(0.0, value * scale, r < rank);
    }
    workgroupBarrier();
  }
}
`

const factorsOf = ({ x, keep }: Plan, width: string, c: string) =>
  count(rows)
    .map((r) => {
      const at = `[row${r} * ${width} + ${c}]`
      return `let x${r} = input${x}${at}${keep === null ? '' : ` * input${keep}${at}`};`
    })
    .join(' ')

// A lane has one or four neighbouring columns at once, and a sum for each row and element.
function plainSums(item: Plan, i: number): string {
  const product = (r: number, e: number) => (item.fours ? `dot(x${r}, m${e})` : `x${r} * m${e}`)
  return `
      let width = params.width${i}${item.fours ? ' / 4u' : ''};
      ${count(elements)
        .map((e) => `let e${e} = min(first + ${e}u, rank - 1u);`)
        .join(' ')}
      for (var c = lane; c < width; c += LANES) {
        ${factorsOf(item, 'width', 'c')}
        ${count(elements)
          .map((e) => `let m${e} = input${item.matrix}[${item.tall ? `c * rank + e${e}` : `e${e} * width + c`}];`)
          .join(' ')}
        ${count(rows)
          .flatMap((r) => halves.map((h) => `sum${r}${h} += vec4<f32>(${count(4).map((e) => product(r, 4 * h + e))});`))
          .join(' ')}
      }`
}

// A lane has one column at once, whose elements lie side by side.
const tallSums = (item: Plan, i: number) => `
      let fours = rank / 4u;
      ${halves.map((h) => `let e${h} = min(first / 4u + ${h}u, fours - 1u);`).join(' ')}
      for (var c = lane; c < params.width${i}; c += LANES) {
        ${factorsOf(item, `params.width${i}`, 'c')}
        ${halves.map((h) => `let m${h} = input${item.matrix}[c * fours + e${h}];`).join(' ')}
        ${count(rows)
          .flatMap((r) => halves.map((h) => `sum${r}${h} += x${r} * m${h};`))
          .join(' ')}
      }`
