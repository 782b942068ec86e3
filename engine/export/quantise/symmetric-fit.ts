/** Steps of the scale that are tried, in codes of the largest number: above 0 it is clipped. */
const steps = [0, -0.7, -0.35, 0.35, 0.7, 1.05]
/** The same where a better scale is worth more time, as parts of all codes. */
const manySteps = [-0.08, -0.04, 0, 0.04, 0.08, 0.13, 0.2, 0.28, 0.4]

/**
 * The scale with the smallest weighted error of numbers that become scale * (code - offset), codes from 0 to 2 * offset - 1:
 * the number of largest magnitude becomes about code 0 (so the scale has the opposite sign), and the best scale for the
 * codes of each of several scales is taken (least squares).
 *
 * @param thorough tries more scales, those of the other sign too
 */
export function fitSymmetric(
  x: Float32Array,
  weights: Float32Array,
  at: number,
  size: number,
  offset: number,
  thorough = false,
): number {
  let extreme = 0
  for (let i = at; i < at + size; i++) if (Math.abs(x[i]!) > Math.abs(extreme)) extreme = x[i]!
  if (extreme === 0) return 0
  let best = 0
  let smallest = 0
  const attempt = (factor: number) => {
    let [sumQQ, sumQX] = [0, 0]
    for (let i = at; i < at + size; i++) {
      let code = Math.floor(x[i]! * factor + 0.5)
      if (code < -offset) code = -offset
      else if (code > offset - 1) code = offset - 1
      const wq = weights[i]! * code
      sumQQ += wq * code
      sumQX += wq * x[i]!
    }
    // The error is what all numbers weigh less this.
    const saved = sumQQ > 0 ? (sumQX * sumQX) / sumQQ : 0
    if (saved > smallest) {
      smallest = saved
      best = sumQX / sumQQ
    }
  }
  if (thorough)
    for (const step of manySteps) {
      attempt((-offset * (1 + step)) / extreme)
      attempt(((offset - 1) * (1 + step)) / extreme)
    }
  else for (const step of steps) attempt(-(offset + step) / extreme)
  return best
}
