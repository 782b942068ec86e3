import type { FrozenForm } from '../../../frozen-weight.ts'
import { declarations, floats } from '../wgsl.ts'
import { weightReaders } from './weight-wgsl.ts'

/** How the inner loop multiplies: subgroup matrices (tensor cores), or each lane a block of its own from staged tiles. */
export type Arithmetic =
  { kind: 'tiled'; type: 'f32' | 'f16' } | { kind: 'matrix'; m: number; n: number; k: number; subgroup: number }

/** One row of x: nothing is shared between rows of the result, so that reading the weight is all that counts. */
export interface SingleRow {
  kind: 'single row'
}

/**
 * Everything that the code of a product with a frozen weight depends on. What can be told by a number is no part of it, since
 * a card takes its time to compile: whether the result adds to what is there, and the rank of what an adapter adds, or 0.
 */
export interface ProductPlan {
  arithmetic: Arithmetic | SingleRow
  form: FrozenForm
  /** x W in place of x W^T. */
  transposed: boolean
  /** Whether every row of the weight begins at a multiple of four elements, and so does every row of x. */
  aligned: boolean
  /** Multiplies what is added by keep [m, n]. */
  keep: boolean
}

export const tileSize = 64
const depth = 16

/** Whether rows of x are scaled by powers of two, so that they fit the range of 16-bit floats. */
export const scalesRows = ({ arithmetic }: Pick<ProductPlan, 'arithmetic'>): boolean =>
  arithmetic.kind === 'matrix' || (arithmetic.kind === 'tiled' && arithmetic.type === 'f16')

/** Names of what is bound, in order; y comes last. */
export const productReads = (plan: ProductPlan): string[] => [
  'x',
  'weight',
  ...(plan.form === 'int8' ? ['scales'] : []),
  ...(scalesRows(plan) ? ['row_scales'] : []),
  'low',
  'low_rank',
  ...(plan.keep ? ['keep'] : []),
]

/** Lanes of a workgroup. */
const productLanes = (arithmetic: Arithmetic): number => (arithmetic.kind === 'matrix' ? 4 * arithmetic.subgroup : 256)

const extensionsOf = (arithmetic: ProductPlan['arithmetic']): string => {
  if (arithmetic.kind === 'matrix')
    return `enable f16; enable subgroups; enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);`
  return arithmetic.kind === 'tiled' && arithmetic.type === 'f16' ? 'enable f16;' : ''
}

/**
 * y [m, n] (+)= x [m, k] times a part of a weight. Not transposed, the part's rows are columns n of y from `start`;
 * transposed, they are columns of x from `start`. `finish` gets the sums.
 */
export function productCode(plan: ProductPlan): string {
  const { arithmetic, form, transposed } = plan
  return `
${extensionsOf(arithmetic)}
${declarations(
  productReads(plan).map((name) => [name, name === 'weight' ? 'u32' : 'f32']),
  floats('y'),
  [
    ['m', 'u32'],
    ['n', 'u32'],
    ['x_columns', 'u32'],
    ['columns', 'u32'],
    ['start', 'u32'],
    ['rows', 'u32'],
    ['rank', 'u32'],
    ['low_offset', 'u32'],
    ['scale_offset', 'u32'],
    ['accumulate', 'u32'],
    ['boost', 'f32'],
  ],
)}
${weightReaders[form]}
fn x_at(row: u32, column: u32, end: u32) -> f32 {
  if (row >= params.m || column >= end) { return 0.0; }
  return x[row * params.x_columns + column];
}
fn weight_at(row: u32, column: u32) -> vec4<f32> {
  var values = vec4<f32>(0.0);
  if (row >= params.rows || column >= params.columns) { return values; }
  let index = row * params.columns + column;
  ${
    plan.aligned
      ? 'values = weight_four(index);'
      : 'for (var c = 0u; c < min(4u, params.columns - column); c++) { values[c] = weight_one(index + c); }'
  }
  ${form === 'int8' && transposed ? 'values *= scales[params.start + row] * params.boost;' : ''}
  return values;
}
fn finish(row: u32, column: u32, sum: f32) {
  if (row >= params.m || column >= ${transposed ? 'params.columns' : 'params.rows'}) { return; }
  var value = sum;
  ${scalesRows(plan) ? 'value /= row_scales[params.scale_offset + row];' : ''}
  let place = ${transposed ? 'column' : 'params.start + column'};
  ${form === 'int8' ? (transposed ? 'value /= params.boost;' : 'value *= scales[place];') : ''}
  let index = row * params.n + place;
  ${lowRankSum(plan)}
  if (params.accumulate == 1u) { value += y[index]; }
  y[index] = value;
}
${mainOf(plan, arithmetic)}`
}

function mainOf(plan: ProductPlan, arithmetic: ProductPlan['arithmetic']): string {
  switch (arithmetic.kind) {
    case 'single row':
      return singleRowMain()
    case 'matrix':
      return `${staging(plan, arithmetic, 'f16')}${matrixMain(plan, arithmetic)}`
    case 'tiled':
      return `${staging(plan, arithmetic, arithmetic.type)}${tiledMain(plan)}`
  }
}

/** Outputs of a workgroup where x has one row, and lanes that share one: neighbours read neighbouring words of the weight. */
export const singleRow = { outputs: 4, lanes: 32 }

const singleRowMain = () => `
var<workgroup> partial: array<f32, ${singleRow.outputs * singleRow.lanes}>;
@compute @workgroup_size(${singleRow.outputs * singleRow.lanes})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32
) {
  let within = lane % ${singleRow.lanes}u;
  let column = (group.x + group.y * groups.x) * ${singleRow.outputs}u + lane / ${singleRow.lanes}u;
  var sum = 0.0;
  if (column < params.rows) {
    for (var first = within * 4u; first < params.columns; first += ${4 * singleRow.lanes}u) {
      let factors = weight_at(column, first);
      for (var c = 0u; c < 4u; c++) { sum += x_at(0u, first + c, params.columns) * factors[c]; }
    }
  }
  partial[lane] = sum;
  for (var half = ${singleRow.lanes / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (within < half) { partial[lane] += partial[lane + half]; }
  }
  if (within == 0u) { finish(0u, column, partial[lane]); }
}`

/** Tiles of both factors in workgroup memory, where ragged edges become zeros and stored forms the type that is multiplied. */
const staging = (plan: ProductPlan, arithmetic: Arithmetic, type: 'f32' | 'f16') => `
const TILE = ${tileSize}u;
const DEPTH = ${depth}u;
const LANES = ${productLanes(arithmetic)}u;
// x by row and then depth, the weight by depth and then column of y.
var<workgroup> left: array<${type}, ${tileSize * depth}>;
var<workgroup> right: array<${type}, ${tileSize * depth}>;
fn stage_left(first_row: u32, first: u32, end: u32, lane: u32) {
  for (var e = lane * 4u; e < TILE * DEPTH; e += LANES * 4u) {
    let row = first_row + e / DEPTH;
    let column = first + e % DEPTH;
    var scale = 1.0;
    ${scalesRows(plan) ? 'if (row < params.m) { scale = row_scales[params.scale_offset + row]; }' : ''}
    for (var c = 0u; c < 4u; c++) { left[e + c] = ${type}(x_at(row, column + c, end) * scale); }
  }
}
${plan.transposed ? stageColumns(type) : stageRows(type)}`

// The part's rows are columns of y: four elements of one row go down a column of the staged tile.
const stageRows = (type: string) => `
fn stage_right(first_column: u32, first: u32, lane: u32) {
  for (var e = lane; e < TILE * DEPTH / 4u; e += LANES) {
    let column = e % TILE;
    let depth = e / TILE * 4u;
    let values = weight_at(first_column + column, first + depth);
    for (var c = 0u; c < 4u; c++) { right[(depth + c) * TILE + column] = ${type}(values[c]); }
  }
}`

const stageColumns = (type: string) => `
fn stage_right(first_column: u32, first: u32, lane: u32) {
  for (var e = lane * 4u; e < TILE * DEPTH; e += LANES * 4u) {
    let values = weight_at(first + e / TILE, first_column + e % TILE);
    for (var c = 0u; c < 4u; c++) { right[e + c] = ${type}(values[c]); }
  }
}`

// low [m, rank, filled up to a multiple of 4] times low_rank: [n, rank] as it stands, or [rank, n] where the product is transposed.
const lowRankSum = ({ transposed, keep }: ProductPlan) => `
  var more = 0.0;
  let low_row = params.low_offset + row * ((params.rank + 3u) / 4u * 4u);
  for (var r = 0u; r < params.rank; r++) {
    more += low[low_row + r] * ${transposed ? 'low_rank[r * params.n + place]' : 'low_rank[place * params.rank + r]'};
  }
  value += more${keep ? ' * keep[index]' : ''};`

/** Runs through the depth of the product: what is staged is multiplied by `multiply`. */
const loop = ({ transposed }: ProductPlan, multiply: string) => `
  let first_row = group.y * TILE;
  let first_column = group.x * TILE;
  ${
    transposed
      ? 'let depth_count = params.rows; let offset = params.start;'
      : 'let depth_count = params.columns; let offset = 0u;'
  }
  for (var first = 0u; first < depth_count; first += DEPTH) {
    stage_left(first_row, offset + first, offset + depth_count, lane);
    stage_right(first_column, first, lane);
    workgroupBarrier();
    ${multiply}
    workgroupBarrier();
  }`

const four = [0, 1, 2, 3]

// Lane (tx, ty) has rows ty * 4 to + 3 and columns tx * 4 to + 3, all in registers.
const tiledMain = (plan: ProductPlan) => `
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tx = lane % 16u * 4u;
  let ty = lane / 16u * 4u;
  ${four.map((i) => `var sum${i} = vec4<f32>(0.0);`).join(' ')}
  ${loop(
    plan,
    `
    for (var k = 0u; k < DEPTH; k++) {
      let at = k * TILE + tx;
      let b = vec4<f32>(f32(right[at]), f32(right[at + 1u]), f32(right[at + 2u]), f32(right[at + 3u]));
      ${four.map((i) => `sum${i} += f32(left[(ty + ${i}u) * DEPTH + k]) * b;`).join('\n      ')}
    }`,
  )}
  for (var c = 0u; c < 4u; c++) {
    ${four.map((i) => `finish(first_row + ty + ${i}u, first_column + tx + c, sum${i}[c]);`).join('\n    ')}
  }
}`

// Four subgroups share a tile two by two; each holds a quarter of it in matrices of the size that the card multiplies.
function matrixMain(plan: ProductPlan, { m, n, k, subgroup }: Extract<Arithmetic, { kind: 'matrix' }>): string {
  const rows = four.filter((i) => i < tileSize / 2 / m)
  const columns = four.filter((i) => i < tileSize / 2 / n)
  const each = (body: (i: number, j: number) => string) =>
    rows.flatMap((i) => columns.map((j) => body(i, j))).join('\n  ')
  return `
var<workgroup> result: array<f32, ${tileSize * tileSize}>;
@compute @workgroup_size(${4 * subgroup})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let quarter = lane / ${subgroup}u;
  let my_row = quarter / 2u * (TILE / 2u);
  let my_column = quarter % 2u * (TILE / 2u);
  ${each((i, j) => `var sum${i}${j}: subgroup_matrix_result<f32, ${n}, ${m}>;`)}
  ${loop(
    plan,
    `
    for (var step = 0u; step < DEPTH; step += ${k}u) {
      ${rows.map((i) => `let a${i} = subgroupMatrixLoad<subgroup_matrix_left<f16, ${k}, ${m}>, row_major>(&left, (my_row + ${i * m}u) * DEPTH + step, DEPTH);`).join('\n      ')}
      ${columns.map((j) => `let b${j} = subgroupMatrixLoad<subgroup_matrix_right<f16, ${n}, ${k}>, row_major>(&right, step * TILE + my_column + ${j * n}u, TILE);`).join('\n      ')}
      ${each((i, j) => `sum${i}${j} = subgroupMatrixMultiplyAccumulate(a${i}, b${j}, sum${i}${j});`)}
    }`,
  )}
  ${each((i, j) => `subgroupMatrixStore<row_major>(&result, (my_row + ${i * m}u) * TILE + my_column + ${j * n}u, sum${i}${j}, TILE);`)}
  workgroupBarrier();
  for (var e = lane; e < TILE * TILE; e += LANES) { finish(first_row + e / TILE, first_column + e % TILE, result[e]); }
}`
}
