import type { FrozenWeight } from '../../../frozen-weight.ts'
import type { TensorInfo } from '../../../tf.ts'
import type { CardBackend } from '../backend.ts'
import { arithmeticOf } from '../arithmetic.ts'
import { type Binding, dispatch, groupsFor, output, register, sizeOf } from '../record.ts'
import { weightsOf } from '../weights.ts'
import { declarations, floats, lanesFor, reductions, rowwise } from '../wgsl.ts'
import {
  type Arithmetic,
  productCode,
  productReads,
  type ProductPlan,
  scalesRows,
  singleRow,
  tileSize,
} from './product-wgsl.ts'

/** What an adapter adds to a product: low [m, rank] times a matrix. */
export interface LowRankPart {
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
  /** Scales of the rows of x, where they have been computed already, and where in them its own begin. */
  rowScales?: { scales: TensorInfo; offset: number } | undefined
  /** How it is multiplied; what the card does best where it is not said. A single row is multiplied in a way of its own. */
  arithmetic?: Arithmetic | undefined
}

/** x [m, ...] W^T, or x W, with what an adapter adds: y [m, n]. */
export function product(
  backend: CardBackend,
  x: TensorInfo,
  weight: FrozenWeight,
  { transposed, lowRank, into, rowScales, arithmetic: wanted = arithmeticOf(backend) }: ProductOptions,
): TensorInfo {
  const width = transposed ? weight.rows : weight.columns
  const n = transposed ? weight.columns : weight.rows
  const m = sizeOf(x.shape) / width
  const y = into ?? output(backend, [m, n])
  const { parts, scales, boost } = weightsOf(backend).get(weight)
  const arithmetic: ProductPlan['arithmetic'] = m === 1 && !transposed ? { kind: 'single row' } : wanted
  const made = scalesRows({ arithmetic }) && !rowScales ? rowScalesOf(backend, x, m, width) : null
  const used = rowScales ?? { scales: made!, offset: 0 }
  for (const [index, part] of parts.entries()) {
    const plan: ProductPlan = {
      arithmetic,
      form: weight.form,
      transposed,
      aligned: weight.columns % 4 === 0,
      keep: lowRank?.keep !== undefined,
    }
    // Parts of a transposed product add up: the adapter's share is added once.
    const adapted = !transposed || index === 0 ? lowRank : undefined
    const named: Record<string, Binding | null | undefined> = {
      x,
      weight: part.buffer,
      scales,
      row_scales: used.scales,
      // Something must be bound where nothing is added.
      low: lowRank?.low ?? x,
      low_rank: lowRank?.matrix ?? x,
      keep: lowRank?.keep,
    }
    dispatch(
      backend,
      { key: `product ${JSON.stringify(plan)}`, code: () => productCode(plan) },
      [...productReads(plan).map((name) => named[name]!), y],
      [
        m,
        n,
        width,
        weight.columns,
        part.start,
        part.rows,
        adapted?.rank ?? 0,
        lowRank?.offset ?? 0,
        used.offset,
        into !== undefined || (transposed && index > 0) ? 1 : 0,
        { float: boost },
      ],
      arithmetic.kind === 'single row'
        ? groupsFor(part.rows, singleRow.outputs)
        : [Math.ceil((transposed ? n : part.rows) / tileSize), Math.ceil(m / tileSize)],
    )
  }
  if (made) backend.disposeData(made.dataId)
  return y
}

/** `scale_of(largest)`: the power of two that brings a row's largest magnitude below 1; 1 for a row of zeros. */
export const scaleOf = `
fn scale_of(magnitude: f32) -> f32 {
  if (!(magnitude > 0.0 && magnitude < 3.0e38)) { return 1.0; }
  return exp2(-clamp(floor(log2(magnitude)) + 1.0, -120.0, 120.0));
}
`

const rowScalesCode = (lanes: number) => `
${declarations(floats('x'), floats('row_scales'), [
  ['rows', 'u32'],
  ['size', 'u32'],
])}
${reductions(lanes)}
${scaleOf}
${rowwise(
  lanes,
  `
  var top = 0.0;
  for (var i = lane; i < params.size; i += LANES) { top = max(top, abs(x[row * params.size + i])); }
  top = largest(top, lane);
  if (lane == 0u) { row_scales[row] = scale_of(top); }
`,
)}`

function rowScalesOf(backend: CardBackend, x: TensorInfo, rows: number, size: number): TensorInfo {
  const scales = output(backend, [rows])
  const lanes = lanesFor(size)
  dispatch(
    backend,
    { key: `rowScales ${lanes}`, code: () => rowScalesCode(lanes) },
    [x, scales],
    [rows, size],
    groupsFor(rows, 1),
  )
  return scales
}

export function registerFrozenLinear(): void {
  register<{ weight: FrozenWeight; transposed: boolean }>('FrozenLinear', ({ inputs, attributes, backend }) => {
    const x = inputs.x!
    const { weight, transposed } = attributes
    const y = product(backend, x, weight, { transposed })
    // The same values under the shape that is wanted.
    y.shape = [...x.shape.slice(0, -1), transposed ? weight.columns : weight.rows]
    return y
  })
}
