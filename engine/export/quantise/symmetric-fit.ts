/** Steps of the scale that are tried, in parts of one code of the largest number. */
const steps = [0, -0.7, -0.35, 0.35, 0.7, 1.05]

/**
 * The scale with the smallest weighted error of numbers that become scale * (code - offset), codes from 0 to 2 * offset - 1:
 * the number of largest magnitude becomes about code 0 (so the scale has the opposite sign), and the best scale for the
 * codes of each of several scales is taken (least squares).
 */
export function fitSymmetric(x: Float32Array, weights: Float32Array, at: number, size: number, offset: number): number {
  let extreme = 0
  for (let i = at; i < at + size; i++) if (Math.abs(x[i]!) > Math.abs(extreme)) extreme = x[i]!
  if (extreme === 0) return 0
  let best = 0
  let smallest = 0
  for (const step of steps) {
    const factor = -(offset + step) / extreme
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
  return best
}
