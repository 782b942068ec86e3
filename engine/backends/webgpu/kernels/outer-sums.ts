import type { TensorInfo } from '../../../tensor/tf.ts'
import type { CardBackend } from '../backend.ts'
import { dispatch } from '../record.ts'
import { declarations } from '../wgsl.ts'
import { paddedRank } from './narrow.ts'
import { count, parametersOfItem, runsOf, SharedBindings } from './shared-bindings.ts'

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

// As in `narrow`, only the loops over the rows are written for each item.
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
  ${parametersOfItem(['columns', 'rank', 'stride', 'offset'], plan.length)}
  if (first_column >= columns || first_element >= rank) { return; }
  let my_column = first_column + lane % ACROSS * 4u;
  let e0 = offset + first_element / 4u;
  let e1 = offset + min(first_element / 4u + 1u, stride - 1u);
  ${count(elements)
    .map((e) => `var sum${e} = vec4<f32>(0.0);`)
    .join(' ')}
  ${plan.map((item, i) => `if (group.z == ${i}u) { ${sumsOf(item)} }`).join(' else ')}
  ${count(elements)
    .flatMap((e) => count(4).map((j) => `partial[${4 * e + j}u * LANES + lane] = sum${e}[${j}];`))
    .join(' ')}
  workgroupBarrier();
  for (var o = lane; o < ${columns * elements}u; o += LANES) {
    let sum = o / ACROSS;
    let column = first_column + o % ACROSS * 4u + sum % 4u;
    let element = first_element + sum / 4u;
    var all = 0.0;
    // Sums beside each other are read in another order, so that no two are in one bank.
    for (var d = 0u; d < DOWN; d++) { all += partial[sum * LANES + (d ^ (sum % ${32 / across}u)) * ACROSS + o % ACROSS]; }
    if (column < columns && element < rank) {
      ${plan
        .map(
          ({ tall }, i) =>
            `if (group.z == ${i}u) { sums${i}[${tall ? 'column * rank + element' : 'element * columns + column'}] = all; }`,
        )
        .join(' else ')}
    }
  }
}
`

/** A lane's sums over its rows. Columns and elements that are not there are read as the last one, and not written. */
const sumsOf = ({ x, keep, fours }: Plan) => {
  const read = (input: number, u: number) =>
    fours
      ? `input${input}[row${u} * width + column]`
      : `vec4<f32>(${count(4)
          .map((j) => `input${input}[row${u} * width + column${j}]`)
          .join(', ')})`
  return `
    ${
      fours
        ? 'let width = columns / 4u; let column = min(my_column / 4u, width - 1u);'
        : `let width = columns; ${count(4)
            .map((j) => `let column${j} = min(my_column + ${j}u, width - 1u);`)
            .join(' ')}`
    }
    for (var row0 = lane / ACROSS; row0 < params.rows; row0 += ${unrolled}u * DOWN) {
      ${count(unrolled)
        .slice(1)
        .map((u) => `let row${u} = min(row0 + ${u}u * DOWN, params.rows - 1u);`)
        .join(' ')}
      ${count(unrolled)
        .map(
          (u) => `
      let value${u} = ${read(x, u)}${keep === null ? '' : ` * ${read(keep, u)}`};
      let low${u}0 = low[row${u} * stride + e0];
      let low${u}1 = low[row${u} * stride + e1];`,
        )
        .join('')}
      ${count(unrolled)
        .map((u) => {
          const terms = count(elements).map((e) => `sum${e} += low${u}${Math.floor(e / 4)}[${e % 4}] * value${u};`)
          return u === 0 ? terms.join(' ') : `if (row0 + ${u}u * DOWN < params.rows) { ${terms.join(' ')} }`
        })
        .join('\n      ')}
    }`
}
