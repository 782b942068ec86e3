/** How rounding errors of a row's numbers are made up for by those that come after them. */
export interface Feedback {
  /** Features of a row. */
  size: number
  /** [size, size], above the diagonal: what an error of feature j adds to feature k > j. */
  factors: Float32Array
  /** What an error of each feature counts that nothing makes up for any more. */
  weights: Float32Array
}

/** Part of the mean square that is added to every feature, so that those that were never used can be divided by. */
const damping = 0.01

/**
 * Feedback that makes the error of a linear layer's output small, not that of its weights (GPTQ, arXiv 2210.17323, in the
 * form of QuIP, arXiv 2307.13304, section 3: H = (U + I) D (U + I)^T with U above the diagonal).
 *
 * @param products H: sums over tokens of products of the features that the layer reads [size, size]
 * @param places for each feature of the file the checkpoint's, -1 for one that is zero; null: as they are
 */
export function feedbackOf(products: Float32Array, places: Int32Array | null): Feedback {
  const stored = Math.sqrt(products.length)
  const size = places?.length ?? stored
  const root = new Float64Array(size * size)
  let trace = 0
  for (let i = 0; i < stored; i++) trace += products[i * stored + i]!
  const added = Math.max((damping * trace) / stored, 1e-12)
  const at = (i: number) => (places ? places[i]! : i)
  const factors = new Float32Array(new SharedArrayBuffer(4 * size * size))
  const weights = new Float32Array(new SharedArrayBuffer(4 * size))
  // H = R R^T with R above and on the diagonal, last column first.
  for (let k = size - 1; k >= 0; k--) {
    for (let j = k; j >= 0; j--) {
      const [a, b] = [at(j), at(k)]
      let sum = (a < 0 || b < 0 ? 0 : products[a * stored + b]!) + (j === k ? added : 0)
      const [rowJ, rowK] = [j * size, k * size]
      for (let m = k + 1; m < size; m++) sum -= root[rowJ + m]! * root[rowK + m]!
      root[rowJ + k] = j === k ? Math.sqrt(Math.max(sum, added * 1e-3)) : sum / root[rowK + k]!
    }
    const diagonal = root[k * size + k]!
    weights[k] = diagonal * diagonal
    for (let j = 0; j < k; j++) factors[j * size + k] = root[j * size + k]! / diagonal
  }
  return { size, factors, weights }
}
