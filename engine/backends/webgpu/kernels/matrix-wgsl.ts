import { packedMultiple } from './pack-rows.ts'
import { depthOf, finishRows, type MatrixArithmetic, type ProductPlan } from './product-plan.ts'
import { count, lines } from './shared-bindings.ts'

/** Rows and columns of y that a workgroup has, the depth that it stages at once, and how its subgroups divide the tile. */
export interface MatrixTile {
  rows: number
  columns: number
  depth: number
  down: number
  across: number
  /** Tiles that are on their way in registers while one is multiplied. */
  ahead: number
}

/** Eight by eight matrices of the result. */
export const matrixTile = ({ m, n, k, across }: MatrixArithmetic): MatrixTile => ({
  rows: 8 * m,
  columns: 8 * n,
  depth: 2 * k,
  down: 2,
  across,
  // A lane of a subgroup that has more matrices of the result has fewer registers left, and more to do while it waits.
  ahead: across === 2 || k < 16 ? 1 : 2,
})

/**
 * Subgroup matrices (tensor cores). Tiles of both factors are staged in workgroup memory, sixteen bytes a load; those that come
 * next are on their way in registers while what is staged is multiplied: waiting for memory is what limits the speed. Rows of
 * a staged tile are padded, so that the eight rows that a matrix is loaded from lie in different banks. When all is multiplied,
 * subgroups hand their results to their lanes through the same memory, so that more workgroups find room.
 */
export function matrixMain(plan: ProductPlan<MatrixArithmetic>): string {
  const tile = matrixTile(plan.arithmetic)
  const { m, n, k, subgroup } = plan.arithmetic
  const lanes = tile.down * tile.across * subgroup
  const [subRows, subColumns] = [tile.rows / tile.down, tile.columns / tile.across]
  const [rowCount, columnCount] = [subRows / m, subColumns / n]
  // Columns of the results that a subgroup hands to its lanes at once.
  const stripColumns = Math.max(n, Math.min(subColumns, 32))
  const stripStride = stripColumns + 8
  const left = leftSide(tile, lanes)
  const right = plan.transposed ? deepRight(tile, lanes) : wideRight(tile, lanes)
  const each = (body: (i: number, j: number) => string) =>
    count(columnCount)
      .flatMap((j) => count(rowCount).map((i) => body(i, j)))
      .join('\n    ')
  const together = tile.ahead * tile.depth
  if (packedMultiple % together !== 0)
    throw new Error('a packed row would end within the tiles that are multiplied together')
  // A row of x ends in zeros where these tiles reach beyond the depth, and so do the rows of a weight that is transposed.
  const fetch = (set: number, at: string) => `if (${at} < covered) {
      let next = ${at};
      ${left.fetch(set)}
      ${right.fetch(set)}
    }`
  const multiply = (step: number) => `{
      ${lines(rowCount, (i) => `let a${i} = subgroupMatrixLoad<subgroup_matrix_left<f16, ${k}, ${m}>, row_major>(&staged, (my_row + ${i * m}u) * ${left.stride}u + ${(step * k) / 8}u, ${left.stride}u);`)}
      ${lines(columnCount, (j) => `let b${j} = subgroupMatrixLoad<subgroup_matrix_right<f16, ${n}, ${k}>, ${right.order}>(&staged, ${left.size}u + ${right.matrixAt(j * n, step * k)}, ${right.stride}u);`)}
      ${each((i, j) => `sum${i}_${j} = subgroupMatrixMultiplyAccumulate(a${i}, b${j}, sum${i}_${j});`)}
    }`
  const handOver = (i: number, s: number) => `
  workgroupBarrier();
  ${lines(stripColumns / n, (j) => `subgroupMatrixStore<row_major>(&staged, strip / 4u + ${(j * n) / 4}u, sum${i}_${(s * stripColumns) / n + j}, ${stripStride / 4}u);`)}
  workgroupBarrier();
  for (var c = lane % ${subgroup}u; c < ${stripColumns}u; c += ${subgroup}u) {
    finish_strip(first_row + my_row + ${i * m}u, first_column + my_column + ${s * stripColumns}u + c, strip + c);
  }`
  return `
var<workgroup> staged: array<vec4<u32>, ${Math.max(left.size + right.size, (tile.down * tile.across * m * stripStride) / 4)}>;
fn result_at(at: u32) -> f32 { return bitcast<f32>(staged[at / 4u][at % 4u]); }
fn finish_strip(row: u32, column: u32, at: u32) {
  ${finishRows(
    'column',
    count(m).map((r) => ({ row: `row + ${r}u`, sum: `result_at(at + ${r * stripStride}u)` })),
  )}
}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  // Neighbouring workgroups share columns of y: together they read all of x, which the cache holds, and little of the weight.
  let first_row = group.x * ${tile.rows}u;
  let first_column = group.y * ${tile.columns}u;
  let mine = lane / ${subgroup}u;
  let my_row = mine / ${tile.across}u * ${subRows}u;
  let my_column = mine % ${tile.across}u * ${subColumns}u;
  ${depthOf(plan, plan.transposed ? 'params.rows' : 'params.columns')}
  let covered = (depth_count + ${together - 1}u) / ${together}u * ${together}u;
  let offset = ${plan.transposed ? 'params.start / 8u' : '0u'};
  ${left.before}
  ${right.before}
  ${lines(tile.ahead, (set) => `${left.variables(set)} ${right.variables(set)}`)}
  ${each((i, j) => `var sum${i}_${j}: subgroup_matrix_result<f32, ${n}, ${m}>;`)}
  ${lines(tile.ahead, (set) => fetch(set, `depth_first + ${set * tile.depth}u`))}
  for (var first = depth_first; first < depth_count; first += ${together}u) {
    ${lines(
      tile.ahead,
      (set) => `
    workgroupBarrier();
    ${left.stage(set)}
    ${right.stage(set, left.size, `first + ${set * tile.depth}u`)}
    workgroupBarrier();
    ${fetch(set, `first + ${(set + tile.ahead) * tile.depth}u`)}
    ${lines(tile.depth / k, multiply)}`,
    )}
  }
  let strip = mine * ${m * stripStride}u;
  ${count(rowCount)
    .flatMap((i) => count(subColumns / stripColumns).map((s) => handOver(i, s)))
    .join('')}
}`
}

/** A tile in workgroup memory, `columns` elements in a row, which lanes fill in turns, eight elements at a time. */
function tileOf(rows: number, columns: number, lanes: number) {
  const across = columns / 8
  const stride = across + 1
  const vectors = rows * across
  const nth = (i: number) => `(lane + ${i * lanes}u)`
  return {
    stride,
    size: rows * stride,
    turns: Math.ceil(vectors / lanes),
    /** Where in the tile a lane's vector lies in a turn, and its place in workgroup memory. */
    row: (i: number) => `${nth(i)} / ${across}u`,
    part: (i: number) => `${nth(i)} % ${across}u`,
    place: (i: number) => `${nth(i)} / ${across}u * ${stride}u + ${nth(i)} % ${across}u`,
    /** A line that only lanes with a vector may run. */
    only: (i: number, line: string) =>
      (i + 1) * lanes <= vectors ? line : `if (lane + ${i * lanes}u < ${vectors}u) { ${line} }`,
  }
}

/** Rows of x by row, and then depth. */
function leftSide({ rows, depth }: MatrixTile, lanes: number) {
  const { stride, size, turns, row, part, place, only } = tileOf(rows, depth, lanes)
  const from = (i: number) => `min(first_row + ${row(i)}, params.m - 1u) * params.x_stride + offset + ${part(i)}`
  return {
    stride,
    size,
    before: lines(turns, (i) => `let left_from${i} = ${from(i)}; let left_to${i} = ${place(i)};`),
    variables: (set: number) => lines(turns, (i) => `var l${set}_${i}: vec4<u32>;`),
    fetch: (set: number) => lines(turns, (i) => `l${set}_${i} = x[left_from${i} + next / 8u];`),
    stage: (set: number) => lines(turns, (i) => only(i, `staged[left_to${i}] = l${set}_${i};`)),
  }
}

interface RightSide {
  order: 'row_major' | 'col_major'
  stride: number
  size: number
  before: string
  variables: (set: number) => string
  fetch: (set: number) => string
  stage: (set: number, start: number, at: string) => string
  /** Where the matrix begins that has this column of the subgroup's and this depth of the tile's in its corner. */
  matrixAt: (column: number, depth: number) => string
}

const rightVariables = (turns: number) => (set: number) => lines(turns, (i) => `var r${set}_${i}: Raw;`)

/** Rows of the weight are columns of y: they are staged by column, and then depth. */
function wideRight({ columns, depth }: MatrixTile, lanes: number): RightSide {
  const { stride, size, turns, row, part, place, only } = tileOf(columns, depth, lanes)
  const from = (i: number) => `min(first_column + ${row(i)}, params.rows - 1u) * params.stride + ${part(i)}`
  return {
    order: 'col_major',
    stride,
    size,
    before: lines(turns, (i) => `let right_from${i} = ${from(i)}; let right_to${i} = ${place(i)};`),
    variables: rightVariables(turns),
    fetch: (set) => lines(turns, (i) => `r${set}_${i} = raw_at(right_from${i} + next / 8u);`),
    stage: (set, start) =>
      lines(turns, (i) => only(i, `staged[${start}u + right_to${i}] = eight_of(r${set}_${i}, 0u);`)),
    matrixAt: (column, at) => `(my_column + ${column}u) * ${stride}u + ${at / 8}u`,
  }
}

/** Rows of the weight are the depth: they are staged by depth, and then column. */
function deepRight({ columns, depth }: MatrixTile, lanes: number): RightSide {
  const { stride, size, turns, row, part, place, only } = tileOf(depth, columns, lanes)
  const from = (i: number) => `right_row${i} * params.stride + min(first_column / 8u + ${part(i)}, params.stride - 1u)`
  return {
    order: 'row_major',
    stride,
    size,
    before: lines(
      turns,
      (i) => `let right_row${i} = ${row(i)}; let right_from${i} = ${from(i)}; let right_to${i} = ${place(i)};`,
    ),
    variables: rightVariables(turns),
    fetch: (set) => `let down = next * params.stride;
    ${lines(turns, (i) => `r${set}_${i} = raw_within(right_from${i} + down, right_row${i} + next < params.rows);`)}`,
    stage: (set, start, at) =>
      lines(turns, (i) => only(i, `staged[${start}u + right_to${i}] = eight_of(r${set}_${i}, right_row${i} + ${at});`)),
    matrixAt: (column, at) => `${at * stride}u + (my_column + ${column}u) / 8u`,
  }
}
