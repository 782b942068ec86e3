import type { FrozenWeight } from '../../../tensor/frozen-weight.ts'
import type { TensorInfo } from '../../../tensor/tf.ts'
import type { CardBackend } from '../backend.ts'
import { arithmeticOf } from '../arithmetic.ts'
import { type Binding, dispatch, type Groups, groupsFor, output, register, sizeOf } from '../record.ts'
import { weightsOf } from '../weights.ts'
import { matrixTile } from './matrix-wgsl.ts'
import { disposePacked, type PackedRows, packRows } from './pack-rows.ts'
import { type Arithmetic, type ProductPlan, takesPackedRows } from './product-plan.ts'
import { productCode, productReads } from './product-wgsl.ts'
import { addPieces, piecesOf } from './split-product.ts'
import { singleRow } from './single-row-wgsl.ts'
import { tile } from './tiled-wgsl.ts'

/** What an adapter adds to a product: low [m, rank] times a matrix. */
export interface LowRankPart {
  /** Its rows are filled up with zeros to a multiple of four. */
  low: TensorInfo
  /** Where in `low` the product's own begins. */
  offset: number
  /** [n, rank], or [rank, n] where the product is transposed. */
  matrix: TensorInfo
  rank: number
  keep?: TensorInfo | undefined
}

export interface ProductOptions {
  transposed: boolean
  lowRank?: LowRankPart | undefined
  /** Adds to the result that is there. */
  into?: TensorInfo | undefined
  /** x in packed rows, where there are some already. */
  packed?: PackedRows | null | undefined
  /** The kind of product; by default the card's fastest. A single row has a kind of its own. */
  arithmetic?: Arithmetic | undefined
}

/** x [m, ...] W^T, or x W, with what an adapter adds: y [m, n]. */
export function product(
  backend: CardBackend,
  x: TensorInfo,
  weight: FrozenWeight,
  { transposed, lowRank, into, packed, arithmetic: wanted = arithmeticOf(backend) }: ProductOptions,
): TensorInfo {
  const width = transposed ? weight.rows : weight.columns
  const n = transposed ? weight.columns : weight.rows
  const m = sizeOf(x.shape) / width
  const y = into ?? output(backend, [m, n])
  const { parts, stride, scales, boost } = weightsOf(backend).get(weight)
  const whole: ProductPlan = {
    arithmetic: m === 1 && !transposed ? { kind: 'single row' } : wanted,
    form: weight.form,
    transposed,
    alignedX: width % 8 === 0,
    keep: lowRank?.keep !== undefined,
    split: false,
  }
  const made = takesPackedRows(whole) && !packed ? packRows(backend, x, m, width) : null
  const rows = takesPackedRows(whole) ? (packed ?? made) : null
  for (const [index, part] of parts.entries()) {
    const groups = groupsOf(whole, m, transposed ? n : part.rows)
    const { pieces, depth } = transposed ? piecesOf(groups[0] * groups[1]!, part.rows) : onePiece
    const plan = { ...whole, split: pieces > 1 }
    const sums = pieces > 1 ? output(backend, [pieces, m, n]) : y
    const accumulate = into !== undefined || (transposed && index > 0)
    // Parts of a transposed product add up: the adapter's share is added once.
    const adapted = !transposed || index === 0 ? lowRank : undefined
    const named: Record<string, Binding | null | undefined> = {
      x: rows?.data ?? x,
      weight: part.buffer,
      scales,
      row_scales: rows?.scales,
      // Something must be bound where nothing is added.
      low: lowRank?.low ?? part.buffer,
      low_rank: lowRank?.matrix ?? part.buffer,
      keep: lowRank?.keep,
    }
    dispatch(
      backend,
      { key: `product ${JSON.stringify(plan)}`, code: () => productCode(plan) },
      [...productReads(plan).map((name) => named[name]!), sums],
      [
        m,
        n,
        rows?.stride ?? width,
        weight.columns,
        stride / 8,
        part.start,
        part.rows,
        adapted?.rank ?? 0,
        lowRank?.offset ?? 0,
        accumulate ? 1 : 0,
        { float: boost },
        depth,
      ],
      pieces > 1 ? [groups[0], groups[1], pieces] : groups,
    )
    if (pieces === 1) continue
    addPieces(backend, sums, y, accumulate)
    backend.disposeData(sums.dataId)
  }
  if (made) disposePacked(backend, made)
  return y
}

const onePiece = { pieces: 1, depth: 0 }

/** Rows of y go first: see `matrixMain`. */
function groupsOf({ arithmetic }: ProductPlan, rows: number, columns: number): Groups {
  if (arithmetic.kind === 'single row') return groupsFor(columns, singleRow.outputs)
  const { rows: high, columns: wide } = arithmetic.kind === 'matrix' ? matrixTile(arithmetic) : tile
  return [Math.ceil(rows / high), Math.ceil(columns / wide)]
}

/** x in packed rows for several products, where the card's products take such; null where they do not. */
export const packedFor = (backend: CardBackend, x: TensorInfo, m: number, width: number): PackedRows | null =>
  m > 1 && takesPackedRows({ arithmetic: arithmeticOf(backend) }) ? packRows(backend, x, m, width) : null

export function registerFrozenLinear(): void {
  register('FrozenLinear', ({ inputs, attributes, backend }) => {
    const x = inputs.x!
    const { weight, transposed } = attributes
    const y = product(backend, x, weight, { transposed })
    // `product` returns [m, n]; the values are the same in this shape.
    y.shape = [...x.shape.slice(0, -1), transposed ? weight.columns : weight.rows]
    return y
  })
}
