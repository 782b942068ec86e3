import type { TensorInfo } from '../../../tf.ts'
import type { CardBackend } from '../backend.ts'
import { dispatch } from '../record.ts'
import { declarations } from '../wgsl.ts'
import { paddedRank } from './narrow.ts'
import { count, runsOf, SharedBindings } from './shared-bindings.ts'

/** The gradient of an adapter's matrix: a narrow product transposed, times x. */
export interface OuterSum {
  /** [m, columns] */
  x: TensorInfo
  keep?: TensorInfo | undefined
  columns: number
  rank: number
  /** Where in `low` the narrow product begins. */
  offset: number
  /** What is written: [rank, columns], or [columns, rank] where it is `tall`. */
  sums: TensorInfo
  tall: boolean
}

/** Lanes beside each other, with four columns each; lanes that share the rows; elements of the rank that each has. */
const [across, down, elements] = [8, 16, 8]
const columns = 4 * across
/** Rows that are written out, so that their loads are under way together. */
const unrolled = 4

/** Sums over m rows of what each has in a column of x times an element of its narrow product, several at once. */
export function outerSums(backend: CardBackend, low: TensorInfo, items: readonly OuterSum[], m: number): void {
  const most = backend.device.limits.maxStorageBuffersPerShaderStage - 1
  const fits = (some: readonly OuterSum[]) => planOf(some).bindings.tensors.length + some.length <= most
  for (const { run } of runsOf(items, fits)) {
    const { bindings, plan } = planOf(run)
    dispatch(
      backend,
      { key: `outerSums ${JSON.stringify([bindings.types, plan])}`, code: () => code(bindings.types, plan) },
      [low, ...bindings.tensors, ...run.map((item) => item.sums)],
      [m, ...run.flatMap((item) => [item.columns, item.rank, paddedRank(item.rank) / 4, item.offset / 4])],
      [
        Math.max(...run.map((item) => Math.ceil(item.columns / columns))),
        Math.max(...run.map(({ rank }) => Math.ceil(rank / elements))),
        run.length,
      ],
    )
  }
}

interface Plan {
  x: number
  keep: number | null
  tall: boolean
  /** Four columns are read at once. */
  fours: boolean
}

function planOf(items: readonly OuterSum[]): { bindings: SharedBindings; plan: Plan[] } {
  const bindings = new SharedBindings()
  const plan = items.map(({ x, keep, tall, columns: width }) => {
    const fours = width % 4 === 0
    return { x: bindings.place(x, fours), keep: keep ? bindings.place(keep, fours) : null, tall, fours }
  })
  return { bindings, plan }
}

const lanes = across * down

const code = (types: readonly string[], plan: readonly Plan[]) => `
${declarations(
  [['low', 'vec4<f32>'], ...types.map((type, i): [string, string] => [`input${i}`, type])],
  plan.map((_, i) => [`sums${i}`, 'f32']),
  [
    ['rows', 'u32'],
    ...plan.flatMap((_, i): [string, 'u32'][] => [
      [`columns${i}`, 'u32'],
      [`rank${i}`, 'u32'],
      [`stride${i}`, 'u32'],
      [`offset${i}`, 'u32'],
    ]),
  ],
)}
const ACROSS = ${across}u;
const DOWN = ${down}u;
const LANES = ${lanes}u;
// The sums of all lanes: by element of the rank, then which of the four columns, then lane.
var<workgroup> partial: array<f32, ${4 * elements * lanes}>;
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first_column = group.x * ${columns}u;
  let first_element = group.y * ${elements}u;
  ${plan.map((item, i) => `if (group.z == ${i}u) { ${itemCode(item, i)} }`).join(' else ')}
}
`

const itemCode = ({ x, keep, tall, fours }: Plan, i: number) => {
  // Columns and elements that are not there are read as the last one, and not written.
  const read = (input: number) =>
    fours
      ? `input${input}[row * width + column]`
      : `vec4<f32>(${count(4)
          .map((j) => `input${input}[row * width + column${j}]`)
          .join(', ')})`
  const step = `
          let value = ${read(x)}${keep === null ? '' : ` * ${read(keep)}`};
          let low0 = low[params.offset${i} + row * params.stride${i} + e0];
          let low1 = low[params.offset${i} + row * params.stride${i} + e1];
          ${count(elements)
            .map((e) => `sum${e} += low${Math.floor(e / 4)}[${e % 4}] * value;`)
            .join(' ')}`
  return `
    if (first_column >= params.columns${i} || first_element >= params.rank${i}) { return; }
    let my_column = first_column + lane % ACROSS * 4u;
    ${
      fours
        ? `let width = params.columns${i} / 4u; let column = min(my_column / 4u, width - 1u);`
        : `let width = params.columns${i}; ${count(4)
            .map((j) => `let column${j} = min(my_column + ${j}u, width - 1u);`)
            .join(' ')}`
    }
    let e0 = first_element / 4u;
    let e1 = min(e0 + 1u, params.stride${i} - 1u);
    ${count(elements)
      .map((e) => `var sum${e} = vec4<f32>(0.0);`)
      .join(' ')}
    var next = lane / ACROSS;
    for (; next + ${unrolled - 1}u * DOWN < params.rows; next += ${unrolled}u * DOWN) {
      ${count(unrolled)
        .map((u) => `{ let row = next + ${u}u * DOWN; ${step} }`)
        .join('\n      ')}
    }
    for (; next < params.rows; next += DOWN) { let row = next; ${step} }
    ${count(elements)
      .flatMap((e) => count(4).map((j) => `partial[${4 * e + j}u * LANES + lane] = sum${e}[${j}];`))
      .join(' ')}
    workgroupBarrier();
    for (var o = lane; o < ${columns * elements}u; o += LANES) {
      let sum = o / ACROSS;
      let column_of_sum = first_column + o % ACROSS * 4u + sum % 4u;
      let element = first_element + sum / 4u;
      var all = 0.0;
      // Sums beside each other are read in another order, so that no two are in one bank.
      for (var d = 0u; d < DOWN; d++) { all += partial[sum * LANES + (d ^ (sum % ${32 / across}u)) * ACROSS + o % ACROSS]; }
      if (column_of_sum < params.columns${i} && element < params.rank${i}) {
        sums${i}[${
          tall ? `column_of_sum * params.rank${i} + element` : `element * params.columns${i} + column_of_sum`
        }] = all;
      }
    }`
}
