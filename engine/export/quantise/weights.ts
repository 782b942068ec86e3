const part = 32

/**
 * What the error of each number counts where nothing is known of what the numbers are multiplied with: more for those that
 * are large among their 32 neighbours, as they lie in features that are used.
 */
export function weightsBySize(x: Float32Array): Float32Array {
  const weights = new Float32Array(x.length)
  for (let at = 0; at < x.length; at += part) {
    let squares = 0
    for (let i = at; i < at + part; i++) squares += x[i]! * x[i]!
    const typical = Math.sqrt(squares / part)
    for (let i = at; i < at + part; i++) weights[i] = typical + Math.abs(x[i]!)
  }
  return weights
}

/**
 * The same where it is known what numbers are multiplied with: those of features that are large count more.
 *
 * @param squares of the feature of each column
 */
export function weightsByUse(x: Float32Array, squares: Float32Array): Float32Array {
  const columns = squares.length
  const mean = squares.reduce((sum, value) => sum + value, 0) / columns
  const weights = weightsBySize(x)
  // A feature that was never used may be used one day.
  for (let i = 0; i < x.length; i++) weights[i]! *= squares[i % columns]! + 1e-3 * mean
  return weights
}
