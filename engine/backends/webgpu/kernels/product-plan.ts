import type { FrozenForm } from '../../../tensor/frozen-weight.ts'

/** A size that the card's subgroups multiply (tensor cores), and how many lanes a subgroup has. */
export interface MatrixArithmetic {
  kind: 'matrix'
  m: number
  n: number
  k: number
  subgroup: number
  /**
   * Subgroups that lie side by side in a workgroup's tile; two rows of them lie above each other. With two, a subgroup has four by
   * four matrices of the result, with four, four by two: it loads more for what it multiplies.
   */
  across: 2 | 4
}

/** How the inner loop multiplies: subgroup matrices, or each lane a block of its own from staged tiles. */
export type Arithmetic = { kind: 'tiled'; type: 'f32' | 'f16' } | MatrixArithmetic

/** For one row of x: reading the weight takes all the time, because no row shares what is read. */
export interface SingleRow {
  kind: 'single row'
}

/**
 * Everything that the code of a product with a frozen weight depends on. Compiling is slow, so what a uniform can say is no
 * part of it: whether the result is added to y, and the rank of the adapter, or 0.
 */
export interface ProductPlan<Kind extends Arithmetic | SingleRow = Arithmetic | SingleRow> {
  arithmetic: Kind
  form: FrozenForm
  /** x W in place of x W^T. */
  transposed: boolean
  /** Whether every row of x begins at a multiple of eight elements, where it is not packed. */
  alignedX: boolean
  /** Multiplies what is added by keep [m, n]. */
  keep: boolean
  /** A workgroup sums over a piece of the depth alone, and leaves that to be added up: see `piecesOf`. */
  split: boolean
}

/** Where in the depth a workgroup begins, and where it ends: pieces are whole numbers of tiles. */
export const depthOf = ({ split }: ProductPlan, depth: string): string =>
  split
    ? `piece = group.z;
  let depth_first = group.z * params.depth;
  let depth_count = min(${depth}, depth_first + params.depth);`
    : `let depth_first = 0u;
  let depth_count = ${depth};`

/** Whether x comes in packed rows of 16-bit floats: see `packRows`. */
export const takesPackedRows = ({ arithmetic }: Pick<ProductPlan, 'arithmetic'>): boolean =>
  arithmetic.kind === 'matrix' || (arithmetic.kind === 'tiled' && arithmetic.type === 'f16')

/**
 * Rows of one column, each with its sum. What is there, where sums are added to it, is read for all of them before any is written,
 * so that the card waits for it once; what the adapter adds is taken for all of them together, so that its factors are read once.
 */
export const finishRows = (column: string, rows: readonly { row: string; sum: string }[]): string => `
  {
    let target_column = column_of(${column});
    if (target_column.inside) {
      ${rows.map((_, i) => `var there${i} = 0.0; var more${i} = 0.0;`).join(' ')}
      if (adds_up()) {
        ${rows.map(({ row }, i) => `there${i} = what_is_there(${row}, target_column);`).join('\n        ')}
      }
      for (var first = 0u; first < adapter_rank(); first += 4u) {
        let factors = adapter_factors(target_column.place, first);
        ${rows.map(({ row }, i) => `more${i} += dot(adapter_low(${row}, first), factors);`).join('\n        ')}
      }
      ${rows.map(({ row, sum }, i) => `finish(${row}, target_column, ${sum}, more${i}, there${i});`).join('\n      ')}
    }
  }`
