import { declarations } from '../wgsl.ts'
import { matrixMain } from './matrix-wgsl.ts'
import { type MatrixArithmetic, type ProductPlan, takesPackedRows } from './product-plan.ts'
import { singleRowMain } from './single-row-wgsl.ts'
import { tiledMain } from './tiled-wgsl.ts'
import { eightReader } from './weight-wgsl.ts'

/** Names of what is bound, in order; y comes last. */
export const productReads = (plan: ProductPlan): string[] => [
  'x',
  'weight',
  ...(plan.form === 'int8' ? ['scales'] : []),
  ...(takesPackedRows(plan) ? ['row_scales'] : []),
  'low',
  'low_rank',
  ...(plan.keep ? ['keep'] : []),
]

const extensionsOf = (arithmetic: ProductPlan['arithmetic']): string => {
  if (arithmetic.kind === 'matrix')
    return `enable f16; enable subgroups; enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);`
  return arithmetic.kind === 'tiled' && arithmetic.type === 'f16' ? 'enable f16;' : ''
}

/** Values are read eight at a time: as many as sixteen bytes of packed rows, and of most weights, hold. */
const typeOf = (name: string, plan: ProductPlan): string => {
  switch (name) {
    case 'x':
      return takesPackedRows(plan) ? 'vec4<u32>' : plan.alignedX ? 'vec4<f32>' : 'f32'
    case 'weight':
      return plan.form === 'int8' ? 'vec2<u32>' : 'vec4<u32>'
    case 'low':
      return 'vec4<f32>'
    default:
      return 'f32'
  }
}

/**
 * y [m, n] (+)= x [m, k] times a part of a weight. Not transposed, the part's rows are columns n of y from `start`;
 * transposed, they are columns of x from `start`. Where it is split, y is [pieces, m, n], and the adapter's share is in the
 * first piece.
 */
export function productCode(plan: ProductPlan): string {
  const { arithmetic, form, transposed } = plan
  return `
${extensionsOf(arithmetic)}
${declarations(
  productReads(plan).map((name) => [name, typeOf(name, plan)]),
  [['y', 'f32']],
  [
    ['m', 'u32'],
    ['n', 'u32'],
    // Of x: vectors of eight elements where its rows are packed, elements where not.
    ['x_stride', 'u32'],
    ['columns', 'u32'],
    // Of the weight, in vectors of eight elements.
    ['stride', 'u32'],
    ['start', 'u32'],
    ['rows', 'u32'],
    ['rank', 'u32'],
    ['low_offset', 'u32'],
    ['accumulate', 'u32'],
    ['boost', 'f32'],
    // Of a piece, where there are several.
    ['depth', 'u32'],
  ],
)}
${eightReader(form, takesPackedRows(plan) ? '16 bits' : '32 bits', transposed)}
${arithmetic.kind === 'matrix' ? '' : xEight(plan)}
${mainOf(plan)}
${finish(plan)}`
}

const raggedX = (c: number) => `x_at(index + ${c}u, rest > ${c}u)`

/** `x_eight(row, column)`: eight elements of a row of x; zeros beyond its last row, and beyond its end where it is not packed. */
function xEight(plan: ProductPlan): string {
  if (takesPackedRows(plan))
    return `
fn x_eight(row: u32, column: u32) -> Eight {
  if (row >= params.m) { return Eight(); }
  return x[row * params.x_stride + column / 8u];
}`
  return `
${plan.alignedX ? '' : 'fn x_at(index: u32, inside: bool) -> f32 { if (!inside) { return 0.0; } return x[index]; }'}
fn x_eight(row: u32, column: u32) -> Eight {
  if (row >= params.m || column >= params.x_stride) { return Eight(); }
  let index = row * params.x_stride + column;
  ${
    plan.alignedX
      ? 'return Eight(x[index / 4u], x[index / 4u + 1u]);'
      : `let rest = params.x_stride - column;
  return Eight(vec4<f32>(${[0, 1, 2, 3].map(raggedX).join(', ')}), vec4<f32>(${[4, 5, 6, 7].map(raggedX).join(', ')}));`
  }
}`
}

function mainOf(plan: ProductPlan): string {
  switch (plan.arithmetic.kind) {
    case 'single row':
      return singleRowMain()
    case 'matrix':
      return matrixMain(plan as ProductPlan<MatrixArithmetic>)
    case 'tiled':
      return tiledMain(plan)
  }
}

/**
 * What `finishRows` calls. `finish` writes an element of y from its sum and from what an adapter adds: low [m, rank], whose rows
 * are filled up with zeros to whole vectors, times low_rank [n, rank], or [rank, n] where the product is transposed.
 */
function finish(plan: ProductPlan): string {
  const { form, transposed, keep, split } = plan
  const scale = form !== 'int8' ? '1.0' : transposed ? '1.0 / params.boost' : 'scales[place]'
  const factor = (r: number) => {
    const row = `min(first + ${r}u, params.rank - 1u)`
    return transposed ? `low_rank[${row} * params.n + place]` : `low_rank[place * params.rank + ${row}]`
  }
  return `
${split ? 'var<private> piece: u32;' : ''}
fn adapter_rank() -> u32 { return ${split ? 'select(0u, params.rank, piece == 0u)' : 'params.rank'}; }
struct Column { inside: bool, place: u32, scale: f32 }
fn column_of(column: u32) -> Column {
  let place = ${transposed ? 'column' : 'params.start + column'};
  let inside = column < ${transposed ? 'params.columns' : 'params.rows'};
  if (!inside) { return Column(false, 0u, 0.0); }
  return Column(true, place, ${scale});
}
fn adapter_factors(place: u32, first: u32) -> vec4<f32> {
  return vec4<f32>(${[0, 1, 2, 3].map(factor).join(', ')});
}
fn adapter_low(row: u32, first: u32) -> vec4<f32> {
  return low[params.low_offset / 4u + min(row, params.m - 1u) * ((params.rank + 3u) / 4u) + first / 4u];
}
fn adds_up() -> bool { return ${split ? 'false' : 'params.accumulate == 1u'}; }
fn what_is_there(row: u32, column: Column) -> f32 {
  return ${split ? '0.0' : 'y[min(row, params.m - 1u) * params.n + column.place]'};
}
fn finish(row: u32, column: Column, sum: f32, more: f32, there: f32) {
  if (row >= params.m) { return; }
  let index = row * params.n + column.place;
  y[${split ? 'piece * params.m * params.n + ' : ''}index] = there + sum * column.scale${takesPackedRows(plan) ? ' / row_scales[row]' : ''} + more${keep ? ' * keep[index]' : ''};
}`
}
