import type { QualityPoint } from '../../contract/index.ts'
import { sum } from '../../shared/sum.ts'

/** How the loss rises with the importance that is lost, as a run's own points have it. */
export interface Quality {
  /** @param lost fraction of all importance @returns rise of the loss, and its standard error */
  rise(lost: number): { rise: number; error: number; isBeyond: boolean }
  detail: string
}

/** Points that a fit of three numbers takes at least: two are left to tell the error by. */
const fewest = 5
const powers = [1, 2, 3] as const

const times = (count: number) => (count === 1 ? 'once' : `${count} times`)

/**
 * Fits loss = a + b lost^p + c log(1 + step) by least squares: what removal costs, and what training wins back meanwhile. p
 * is that of 1, 2 and 3 which leaves the least residuals.
 *
 * @returns a sentence that says why, where nothing can be told
 */
export function fitQuality(points: readonly QualityPoint[], of: 'validation' | 'training'): Quality | string {
  const what = `the ${of} loss`
  const apart = new Set(points.map(({ lost }) => lost.toFixed(4))).size
  if (points.length < fewest || apart < fewest)
    return `The run measured ${what} ${times(points.length)}, at ${apart} ${apart === 1 ? 'share' : 'different shares'} of the importance lost; ${fewest} of each are needed to say what a budget costs in quality.`
  const fits = powers.map((power) => leastSquares(points, power)).filter((fit) => fit !== null)
  const best = fits.toSorted((one, other) => one.residuals - other.residuals)[0]
  if (!best || best.coefficients[1]! <= 0)
    return `Over the run ${what} did not rise with the importance lost: what training won hides what removal cost.`
  const { power, coefficients, variance } = best
  const most = Math.max(...points.map(({ lost }) => lost))
  return {
    rise(lost) {
      const term = lost ** power
      return { rise: coefficients[1]! * term, error: term * Math.sqrt(variance), isBeyond: lost > 1.05 * most }
    },
    detail: `Fitted to ${points.length} points of ${what} of this run, up to ${(100 * most).toFixed(0)}% of the importance lost, with what training won meanwhile taken out.`,
  }
}

interface Fit {
  power: number
  coefficients: number[]
  /** Sum of squares. */
  residuals: number
  /** Of the coefficient of the importance lost. */
  variance: number
}

/** null where the points do not tell removal from training. */
function leastSquares(points: readonly QualityPoint[], power: number): Fit | null {
  const rows = points.map(({ lost, step }) => [1, lost ** power, Math.log1p(step)])
  const values = points.map(({ loss }) => loss)
  const normal = [0, 1, 2].map((i) => [0, 1, 2].map((j) => sum(rows.map((row) => row[i]! * row[j]!))))
  const inverse = invert(normal)
  if (inverse === null) return null
  const products = [0, 1, 2].map((i) => sum(rows.map((row, at) => row[i]! * values[at]!)))
  const coefficients = inverse.map((row) => sum(row.map((each, j) => each * products[j]!)))
  const residuals = sum(rows.map((row, at) => (values[at]! - sum(row.map((each, j) => each * coefficients[j]!))) ** 2))
  return { power, coefficients, residuals, variance: (residuals / (points.length - 3)) * inverse[1]![1]! }
}

/** Gauss and Jordan with pivots; null for a matrix that has no inverse that can be trusted. */
function invert(matrix: readonly number[][]): number[][] | null {
  const size = matrix.length
  const scale = Math.max(...matrix.flat().map(Math.abs))
  const rows = matrix.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))])
  for (let column = 0; column < size; column++) {
    const pivot = [...rows.keys()]
      .slice(column)
      .reduce((best, row) => (Math.abs(rows[row]![column]!) > Math.abs(rows[best]![column]!) ? row : best))
    if (!(Math.abs(rows[pivot]![column]!) > 1e-10 * scale)) return null
    ;[rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!]
    const head = rows[column]![column]!
    rows[column] = rows[column]!.map((value) => value / head)
    for (const row of rows.keys()) {
      if (row === column) continue
      const factor = rows[row]![column]!
      rows[row] = rows[row]!.map((value, j) => value - factor * rows[column]![j]!)
    }
  }
  return rows.map((row) => row.slice(size))
}
