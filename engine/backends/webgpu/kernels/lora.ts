import type { TensorInfo } from '../../../tensor/tf.ts'
import type { Projections } from '../../fused-kernels.ts'
import { output, register } from '../record.ts'
import { narrow, type NarrowItem, narrowOffsets } from './narrow.ts'
import { type OuterSum, outerSums } from './outer-sums.ts'
import { disposePacked } from './pack-rows.ts'
import { packedFor, product } from './product.ts'

type Inputs = Record<string, TensorInfo>

/**
 * Frozen linear layers with their adapters, in few dispatches: one computes the narrow products of all projections of an
 * input, and each frozen product adds the adapter's share as it writes its result.
 */
export function registerLora(): void {
  register('LoraLinear', ({ inputs, attributes, backend }) => {
    const { weights } = attributes
    const x = inputs.x!
    const m = x.shape[0]!
    const low = narrow(backend, inputItems(inputs, attributes), m)
    const { offsets } = narrowOffsets(ranksOf(inputs, attributes), m)
    const packed = packedFor(backend, x, m, x.shape[1]!)
    const ys = weights.map((weight, i) =>
      product(backend, x, weight, {
        transposed: false,
        packed,
        lowRank: { low, offset: offsets[i]!, matrix: inputs[`b${i}`]!, rank: inputs[`b${i}`]!.shape[1]! },
      }),
    )
    if (packed) disposePacked(backend, packed)
    backend.disposeData(low.dataId)
    return ys
  })
  register('LoraLinearInputGrad', ({ inputs, attributes, backend }) => {
    const m = inputs.dy0!.shape[0]!
    const low = inputs.narrow ?? narrow(backend, outputItems(inputs, attributes), m)
    const { offsets } = narrowOffsets(ranksOf(inputs, attributes), m)
    let dx: TensorInfo | undefined
    for (const [i, weight] of attributes.weights.entries()) {
      const a = inputs[`a${i}`]!
      dx = product(backend, inputs[`dy${i}`]!, weight, {
        transposed: true,
        lowRank: { low, offset: offsets[i]!, matrix: a, rank: a.shape[0]!, keep: inputs[`keep${i}`] },
        into: dx,
      })
    }
    if (!inputs.narrow) backend.disposeData(low.dataId)
    return dx!
  })
  register('LoraLinearGrad', ({ inputs, attributes, backend }) => {
    const x = inputs.x!
    const m = x.shape[0]!
    // The items of the outputs come first: LoraLinearInputGrad expects them at the offsets where it would have put them.
    const low = narrow(backend, [...outputItems(inputs, attributes), ...inputItems(inputs, attributes)], m)
    const ranks = ranksOf(inputs, attributes)
    const { offsets } = narrowOffsets([...ranks, ...ranks], m)
    const gradients: TensorInfo[] = []
    const sums = ranks.flatMap((rank, i): OuterSum[] => {
      const [a, b] = [inputs[`a${i}`]!, inputs[`b${i}`]!]
      const [da, db] = [output(backend, a.shape), output(backend, b.shape)]
      gradients.push(da, db)
      return [
        // dA = (scale dy B)^T (keep x) and dB = dy^T (scale (keep x) A^T)
        { x, keep: inputs[`keep${i}`], columns: a.shape[1]!, rank, offset: offsets[i]!, sums: da, tall: false },
        {
          x: inputs[`dy${i}`]!,
          columns: b.shape[0]!,
          rank,
          offset: offsets[ranks.length + i]!,
          sums: db,
          tall: true,
        },
      ]
    })
    outerSums(backend, low, sums, m)
    return [...gradients, low]
  })
}

const ranksOf = (inputs: Inputs, { weights }: Projections): number[] =>
  weights.map((_, i) => inputs[`a${i}`]!.shape[0]!)

/** scale * (keep x) A^T of each projection. */
const inputItems = (inputs: Inputs, { scales }: Projections): NarrowItem[] =>
  scales.map((scale, i) => {
    const matrix = inputs[`a${i}`]!
    const [rank, width] = matrix.shape as [number, number]
    return { x: inputs.x!, width, matrix, tall: false, rank, scale, keep: inputs[`keep${i}`] }
  })

/** scale * dy B of each projection. */
const outputItems = (inputs: Inputs, { scales }: Projections): NarrowItem[] =>
  scales.map((scale, i) => {
    const matrix = inputs[`b${i}`]!
    const [width, rank] = matrix.shape as [number, number]
    return { x: inputs[`dy${i}`]!, width, matrix, tall: true, rank, scale }
  })
