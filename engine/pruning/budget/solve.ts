import { type LayerChoices, leastCost, type Solution } from './choices.ts'
import { exact } from './exact.ts'
import { relax } from './lagrange.ts'
import { repair } from './repair.ts'

export interface Solved extends Solution {
  /** No choices within the limit lose less than this. */
  bound: number
}

/**
 * What to keep so that least importance is lost within a limit of cost: a multiple-choice knapsack. Exact where few choices
 * can still win (small models always), and otherwise within what is between `lost` and `bound`.
 *
 * @throws RangeError where even the cheapest choices cost more
 */
export function solve(layers: readonly LayerChoices[], limit: number): Solved {
  const least = leastCost(layers)
  // Sums of fractions of milliseconds differ in the last place.
  const most = Math.max(limit, least)
  if (least > limit * (1 + 1e-9)) throw new RangeError(`${limit} cannot be met: ${least} is the least`)
  const relaxed = relax(layers, most)
  const repaired = repair(layers, relaxed.found, most, relaxed.bound)
  const best = exact(layers, most, relaxed, repaired)
  return { ...(best ?? repaired), bound: best ? best.lost : relaxed.bound }
}
