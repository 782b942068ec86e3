/** What 32 numbers x are stored as: x = scale * code - least, scale and least not below 0. */
export interface AffineFit {
  scale: number
  least: number
  /** Sum of weight * (x - what is stored)^2. */
  error: number
}

const size = 32
/** Steps of the scale that a fit starts from, as parts of the range of codes. */
const starts = [0, -0.9, 0.9]
const rounds = 4

/** Codes of numbers for a scale and a least number, each the nearest. */
export function affineCodes(
  x: Float32Array,
  at: number,
  scale: number,
  least: number,
  most: number,
  into: Uint8Array,
  place: number,
): void {
  const factor = scale > 0 ? 1 / scale : 0
  for (let i = 0; i < size; i++) {
    // Cutting off what follows the point is rounding down here: what is below 0 becomes 0 all the same.
    const code = ((x[at + i]! + least) * factor + 0.5) | 0
    into[place + i] = code < 0 ? 0 : code > most ? most : code
  }
}

/**
 * Weighted error of 32 numbers with a scale and a least number; any number that is not below `enough` once that is reached.
 */
export function affineError(
  x: Float32Array,
  weights: Float32Array,
  at: number,
  { scale, least, most, enough }: { scale: number; least: number; most: number; enough: number },
): number {
  const factor = scale > 0 ? 1 / scale : 0
  let error = 0
  for (let from = at; from < at + size && error < enough; from += 8)
    for (let i = from; i < from + 8; i++) {
      const value = x[i]!
      let code = ((value + least) * factor + 0.5) | 0
      code = code < 0 ? 0 : code > most ? most : code
      const off = scale * code - least - value
      error += weights[i]! * off * off
    }
  return error
}

/**
 * The scale and the least number with the smallest weighted error that alternating finds: the nearest codes for a scale, then
 * the best scale for the codes (least squares), from several scales.
 *
 * @param most the largest code
 */
export function fitAffine(x: Float32Array, weights: Float32Array, at: number, most: number): AffineFit {
  let low = 0
  let high = x[at]!
  let [sumW, sumX, sumXX] = [0, 0, 0]
  for (let i = at; i < at + size; i++) {
    const value = x[i]!
    if (value < low) low = value
    if (value > high) high = value
    const w = weights[i]!
    sumW += w
    sumX += w * value
    sumXX += w * value * value
  }
  if (high <= low) return { scale: 0, least: -low, error: 0 }
  let best: AffineFit = { scale: 0, least: 0, error: sumXX }
  for (const start of starts) {
    let scale = (high - low) / (most + start)
    let least = -low
    let last = Infinity
    for (let round = 0; round < rounds; round++) {
      const factor = scale > 0 ? 1 / scale : 0
      let [sumQ, sumQQ, sumQX] = [0, 0, 0]
      // Codes as affineCodes gives them: one loop is faster than two.
      for (let i = at; i < at + size; i++) {
        const value = x[i]!
        let code = ((value + least) * factor + 0.5) | 0
        code = code < 0 ? 0 : code > most ? most : code
        const wq = weights[i]! * code
        sumQ += wq
        sumQQ += wq * code
        sumQX += wq * value
      }
      // The best scale and offset for these codes; an offset that must not be positive is left out.
      const determinant = sumW * sumQQ - sumQ * sumQ
      if (determinant > 0) {
        scale = (sumW * sumQX - sumQ * sumX) / determinant
        least = -(sumX - scale * sumQ) / sumW
      }
      if (determinant <= 0 || least < 0) {
        least = 0
        scale = sumQQ > 0 ? sumQX / sumQQ : 0
      }
      if (!(scale > 0)) break
      const error =
        sumXX +
        scale * scale * sumQQ +
        least * least * sumW -
        2 * scale * sumQX +
        2 * least * sumX -
        2 * scale * least * sumQ
      if (error < best.error) best = { scale, least, error }
      if (!(error < last * 0.999)) break
      last = error
    }
  }
  return best
}
