import type { FrozenForm } from '../../../tensor/frozen-weight.ts'
import type { TensorInfo } from '../../../tensor/tf.ts'
import { bufferOf, type CardBackend } from '../backend.ts'
import { dispatch, groupsFor, output, register } from '../record.ts'
import { type CardWeight, weightsOf } from '../weights.ts'
import { declarations, elementwise, floats } from '../wgsl.ts'
import { count } from './shared-bindings.ts'
import { weightFours, weightReaders } from './weight-wgsl.ts'

interface Plan {
  form: FrozenForm
  power: 1 | 2
  along: 'rows' | 'columns'
  /** Rows of the weight begin at multiples of four elements, and four are read at once. */
  fours: boolean
}

/** Lanes of a workgroup, each with four columns, and rows that each has at once. */
const [lanes, rows] = [128, 8]
/** Blocks of rows that a workgroup goes through, and elements of the rank that are staged at once. */
const [blocks, depth] = [8, 64]
/** Lanes that share a row when its sums are added up. */
const sharing = lanes / rows

// Each element of the importance is formed where it is added up; no matrix of it is ever stored. A workgroup has 512 columns
// of 64 rows and gives a sum for each row or each column of these; another dispatch adds those of all workgroups.
const code = ({ form, power, along, fours }: Plan) => `
${declarations(
  [
    ['weight', fours ? weightFours[form].type : 'u32'],
    ...(form === 'int8' ? floats('scales') : []),
    ['a', fours ? 'vec4<f32>' : 'f32'],
    ['gradient_a', fours ? 'vec4<f32>' : 'f32'],
    ...floats('b', 'gradient_b'),
  ],
  floats('sums'),
  [
    ['columns', 'u32'],
    ['start', 'u32'],
    ['rows', 'u32'],
    ['rank', 'u32'],
    ['offset', 'u32'],
    ['size', 'u32'],
    ['stride', 'u32'],
    ['scale', 'f32'],
  ],
)}
${fours ? weightFours[form].code : weightReaders[form]}
const LANES = ${lanes}u;
const ROWS = ${rows}u;
const DEPTH = ${depth}u;
// Of each element of the rank: scale * b, then its gradient, then b without it, for all rows of a block.
var<workgroup> left: array<vec4<f32>, ${(depth * 3 * rows) / 4}>;
${
  along === 'rows'
    ? `// The sums of all lanes for the rows of a block, and those of ${sharing} shares of the lanes for all rows.
var<workgroup> partial: array<f32, ${rows * lanes}>;
var<workgroup> shares: array<f32, ${blocks * rows * (sharing + 1)}>;`
    : ''
}
fn stage(first_row: u32, first: u32, lane: u32) {
  for (var e = lane; e < min(DEPTH, params.rank - first) * ${rows / 4}u; e += LANES) {
    let r = first + e / ${rows / 4}u;
    ${count(4)
      .map(
        (i) =>
          `let at${i} = (params.start + min(first_row + e % ${rows / 4}u * 4u + ${i}u, params.rows - 1u)) * params.rank + r;`,
      )
      .join('\n    ')}
    let value = vec4<f32>(${count(4).map((i) => `b[at${i}]`)});
    let gradient = vec4<f32>(${count(4).map((i) => `gradient_b[at${i}]`)});
    let to = e / ${rows / 4}u * ${(3 * rows) / 4}u + e % ${rows / 4}u;
    left[to] = params.scale * value;
    left[to + ${rows / 4}u] = gradient;
    left[to + ${(2 * rows) / 4}u] = value - gradient;
  }
}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let column = (group.x * LANES + lane) * 4u;
  let top_row = group.y * ${blocks * rows}u;
  let inside = column + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(params.columns);
  // Columns and rows that are not there are read as the last one, and not added.
  ${
    fours
      ? 'let width = params.columns / 4u; let place = min(column / 4u, width - 1u);'
      : `let width = params.columns; ${count(4)
          .map((j) => `let place${j} = min(column + ${j}u, width - 1u);`)
          .join(' ')}`
  }
  ${along === 'columns' ? 'var total = vec4<f32>(0.0);' : ''}
  for (var block = 0u; block < ${blocks}u && top_row + block * ROWS < params.rows; block++) {
    let first_row = top_row + block * ROWS;
    ${count(rows)
      .map((i) => `let row${i} = min(first_row + ${i}u, params.rows - 1u);`)
      .join(' ')}
    ${count(rows)
      .map((i) => {
        const four = fours
          ? `weight_fours(row${i} * (params.stride / 4u) + place)`
          : `vec4<f32>(${count(4).map((j) => `weight_one(row${i} * params.stride + place${j})`)})`
        return `var merged${i} = ${four}${form === 'int8' ? ` * scales[params.start + row${i}]` : ''}; var estimate${i} = vec4<f32>(0.0);`
      })
      .join('\n    ')}
    for (var first = 0u; first < params.rank; first += DEPTH) {
      workgroupBarrier();
      stage(first_row, first, lane);
      workgroupBarrier();
      for (var r = 0u; r < min(DEPTH, params.rank - first); r++) {
        ${['a', 'gradient_a']
          .map((name) => {
            const at = '(first + r) * width'
            return `let ${name}_here = ${
              fours ? `${name}[${at} + place]` : `vec4<f32>(${count(4).map((j) => `${name}[${at} + place${j}]`)})`
            };`
          })
          .join('\n        ')}
        ${count((3 * rows) / 4)
          .map((i) => `let left${i} = left[r * ${(3 * rows) / 4}u + ${i}u];`)
          .join(' ')}
        ${count(rows)
          .map((i) => {
            const of = (part: number) => `left${(part * rows) / 4 + Math.floor(i / 4)}[${i % 4}]`
            return `merged${i} += ${of(0)} * a_here; estimate${i} += ${of(1)} * a_here + ${of(2)} * gradient_a_here;`
          })
          .join('\n        ')}
      }
    }
    ${count(rows)
      .map(
        (i) =>
          `let value${i} = select(vec4<f32>(0.0), estimate${i} * merged${i}, inside${along === 'columns' ? ` & vec4<bool>(first_row + ${i}u < params.rows)` : ''});`,
      )
      .join('\n    ')}
    ${along === 'columns' ? addColumns(power) : addRows(power)}
  }
  ${
    along === 'columns'
      ? count(4)
          .map(
            (j) =>
              `if (inside[${j}]) { sums[(params.offset + group.y) * params.size + column + ${j}u] = total[${j}]; }`,
          )
          .join('\n  ')
      : `workgroupBarrier();
  if (lane < ${blocks * rows}u && top_row + lane < params.rows) {
    var all = 0.0;
    for (var l = 0u; l < ${sharing}u; l++) { all += shares[lane * ${sharing + 1}u + l]; }
    sums[group.x * params.size + params.start + top_row + lane] = all;
  }`
  }
}
`

const addColumns = (power: 1 | 2) =>
  count(rows)
    .map((i) => `total += ${power === 1 ? `abs(value${i})` : `value${i} * value${i}`};`)
    .join(' ')

// A share of the lanes reads each row's sums in another order, so that no two are in one bank.
const addRows = (power: 1 | 2) => `
    ${count(rows)
      .map(
        (i) =>
          `partial[${i}u * LANES + lane] = dot(${power === 1 ? `abs(value${i}), vec4<f32>(1.0)` : `value${i}, value${i}`});`,
      )
      .join('\n    ')}
    workgroupBarrier();
    let row = lane / ${sharing}u;
    var sum = 0.0;
    for (var l = 0u; l < ROWS; l++) { sum += partial[row * LANES + (l ^ (row % 2u)) * ${sharing}u + lane % ${sharing}u]; }
    shares[(block * ROWS + row) * ${sharing + 1}u + lane % ${sharing}u] = sum;`

const addition = `
${declarations(floats('pieces'), floats('sums'), [
  ['count', 'u32'],
  ['parts', 'u32'],
])}
${elementwise(`
  var sum = 0.0;
  for (var p = 0u; p < params.parts; p++) { sum += pieces[p * params.count + index]; }
  sums[index] = sum;`)}`

/** Adds up `parts` rows of `size` sums. */
function added(backend: CardBackend, sums: TensorInfo, parts: number, size: number): TensorInfo {
  const all = output(backend, [size])
  dispatch(backend, { key: 'importance added', code: () => addition }, [sums, all], [size, parts], groupsFor(size, 256))
  backend.disposeData(sums.dataId)
  return all
}

export function registerImportance(): void {
  register('GroupImportance', ({ inputs, attributes, backend }) => {
    const { weight, scale, power, along } = attributes
    const { a, b, gradientA, gradientB } = inputs as Record<string, TensorInfo>
    const [rank, columns] = a!.shape as [number, number]
    const outputs = b!.shape[0]!
    const trained = 'dataId' in weight
    const { parts, stride, scales }: Pick<CardWeight, 'parts' | 'stride' | 'scales'> = trained
      ? { parts: [{ buffer: bufferOf(backend, weight), start: 0, rows: outputs }], stride: columns, scales: null }
      : weightsOf(backend).get(weight)
    const plan: Plan = { form: trained ? 'float32' : weight.form, power, along, fours: columns % 4 === 0 }
    const across = Math.ceil(columns / (4 * lanes))
    const down = parts.map((part) => Math.ceil(part.rows / (blocks * rows)))
    const size = along === 'rows' ? outputs : columns
    const results = along === 'rows' ? across : down.reduce((sum, some) => sum + some, 0)
    const sums = output(backend, [results * size])
    let offset = 0
    for (const [index, part] of parts.entries()) {
      dispatch(
        backend,
        { key: `importance ${JSON.stringify(plan)}`, code: () => code(plan) },
        [part.buffer, ...(scales ? [scales] : []), a!, gradientA!, b!, gradientB!, sums],
        [columns, part.start, part.rows, rank, offset, size, stride, { float: scale }],
        [across, down[index]!],
      )
      offset += down[index]!
    }
    return results === 1 ? sums : added(backend, sums, results, size)
  })
}
