import { type Projection, projections } from '../models/projections.ts'
import { frozenFloats, quantise } from '../tensor/frozen-weight.ts'
import type { LlamaModel } from '../models/llama.ts'
import { inputOf, type LayerStatistics, rootMeanSquares } from './activations.ts'

/**
 * A weight [rows, columns] with its lowest fraction set to zero: of the whole matrix by |W|, or, with norms of the inputs
 * [columns] (Wanda, arXiv 2306.11695), of each row by |W_ij| times the norm of input j.
 */
export function withoutLowest(
  weight: Float32Array,
  columns: number,
  ratio: number,
  norms?: Float32Array,
): Float32Array {
  const result = Float32Array.from(weight)
  const size = norms ? columns : weight.length
  const remove = Math.floor(size * ratio + 1e-9)
  if (remove === 0) return result
  for (let start = 0; start < weight.length; start += size) {
    const scores = Float32Array.from({ length: size }, (_, i) => Math.abs(weight[start + i]!) * (norms?.[i] ?? 1))
    const threshold = scores.toSorted()[remove - 1]!
    // Of equal scores at the threshold the first ones leave, so that the count is exact.
    let left = remove
    for (const score of scores) if (score < threshold) left--
    for (const [i, score] of scores.entries()) {
      const leaves = score < threshold || (score === threshold && left-- > 0)
      if (leaves) result[start + i] = 0
    }
  }
  return result
}

/** Zeroes of one run, the same whenever they are asked for. */
export class UnstructuredZeros {
  readonly #ratio: number
  readonly #norms: (layer: number, projection: Projection) => Float32Array | undefined

  /** @param statistics of the dense model's activations for Wanda; null for magnitude */
  constructor(ratio: number, statistics: readonly LayerStatistics[] | null) {
    this.#ratio = ratio
    this.#norms = (layer, projection) => statistics?.[layer] && rootMeanSquares(inputOf(statistics[layer], projection))
  }

  applied(layer: number, projection: Projection, weight: Float32Array, columns: number): Float32Array {
    return withoutLowest(weight, columns, this.#ratio, this.#norms(layer, projection))
  }

  /** Puts the weights with their zeros into a model. */
  apply(
    model: LlamaModel,
    read: (layer: number, projection: Projection) => { weight: Float32Array; rows: number; columns: number },
    int8: boolean,
  ): void {
    for (const [layer, { projections: linears }] of model.layers.entries())
      for (const projection of projections) {
        const { weight, rows, columns } = read(layer, projection)
        const frozen = frozenFloats(this.applied(layer, projection, weight, columns), rows, columns)
        linears[projection].weight = int8 ? quantise(frozen) : frozen
      }
  }
}
