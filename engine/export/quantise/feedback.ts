/** How rounding errors of a row's numbers are made up for by others of it. All arrays can be shared with threads. */
export interface Feedback {
  /** Features of a row. */
  size: number
  /** [size, size], above the diagonal: what an error of feature j adds to feature k > j. */
  factors: Float32Array
  /** What an error of each feature counts that nothing makes up for any more. */
  weights: Float32Array
  /** H, damped [size, size]: what errors of two features count together. */
  products: Float32Array
}

/** Part of the mean square that is added to every feature, so that those that were never used can be divided by. */
const damping = 0.01

/**
 * Feedback that makes the error of a linear layer's output small, not that of its weights (GPTQ, arXiv 2210.17323, in the
 * form of QuIP, arXiv 2307.13304, section 3: H = (U + I) D (U + I)^T with U above the diagonal).
 *
 * @param given H: sums over tokens of products of the features that the layer reads [size, size]
 * @param places for each feature of the file the checkpoint's, -1 for one that is zero; null: as they are
 */
export function feedbackOf(given: Float32Array, places: Int32Array | null): Feedback {
  const stored = Math.sqrt(given.length)
  const size = places?.length ?? stored
  let trace = 0
  for (let i = 0; i < stored; i++) trace += given[i * stored + i]!
  const added = Math.max((damping * trace) / stored, 1e-12)
  const products = placed(given, stored, places)
  for (let i = 0; i < size; i++) products[i * size + i]! += added
  const root = new Float64Array(size * size)
  const factors = shared(size * size)
  const weights = shared(size)
  // H = R R^T with R above and on the diagonal, last column first.
  for (let k = size - 1; k >= 0; k--) {
    for (let j = k; j >= 0; j--) {
      const [rowJ, rowK] = [j * size, k * size]
      let sum = products[rowJ + k]!
      for (let m = k + 1; m < size; m++) sum -= root[rowJ + m]! * root[rowK + m]!
      root[rowJ + k] = j === k ? Math.sqrt(Math.max(sum, added * 1e-3)) : sum / root[rowK + k]!
    }
    const diagonal = root[k * size + k]!
    weights[k] = diagonal * diagonal
    for (let j = 0; j < k; j++) factors[j * size + k] = root[j * size + k]! / diagonal
  }
  return { size, factors, weights, products }
}

const shared = (length: number) => new Float32Array(new SharedArrayBuffer(4 * length))

/** A matrix [stored, stored] with its rows and columns where the file has them. */
function placed(matrix: Float32Array, stored: number, places: Int32Array | null): Float32Array {
  const size = places?.length ?? stored
  const result = shared(size * size)
  if (places === null) result.set(matrix)
  else
    for (let j = 0; j < size; j++)
      for (let k = 0; k < size; k++) {
        const [a, b] = [places[j]!, places[k]!]
        if (a >= 0 && b >= 0) result[j * size + k] = matrix[a * stored + b]!
      }
  return result
}
