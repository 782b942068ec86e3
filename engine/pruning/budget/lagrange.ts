import { type Kind, kinds } from '../../models/family.ts'
import { type Choice, type Curve, type LayerChoices, type Solution, solutionOf } from './choices.ts'

/** Where a price of the cost leads: the best choices at that price, and what no choice within the limit can lose less than. */
interface Priced extends Solution {
  bound: number
}

/** What the search came to: the best choices found within the limit, and at which price a lower bound is highest. */
export interface Relaxed {
  found: Solution
  price: number
  bound: number
}

const halvings = 100

/**
 * Least importance lost within a limit of cost, by Lagrangian relaxation (Everett, 1963): at a price of the cost every layer
 * chooses for itself, and halving finds the price at which the limit is just met. What it finds is best for its own cost; the
 * limit itself may leave room, which `repair` fills.
 *
 * @param limit that the cheapest choices meet
 */
export function relax(layers: readonly LayerChoices[], limit: number): Relaxed {
  const hulls = layers.map((layer) => ({ heads: hullOf(layer.heads), channels: hullOf(layer.channels) }))
  const at = (price: number): Priced => {
    const solution = solutionOf(
      layers,
      layers.map((layer, i) => bestAt(layer, hulls[i]!, price)),
    )
    return { ...solution, bound: solution.lost + price * (solution.cost - limit) }
  }
  const whole = at(0)
  if (whole.cost <= limit) return { found: whole, price: 0, bound: whole.lost }
  let [low, high] = [0, 1]
  let found = at(high)
  while (found.cost > limit) {
    low = high
    high *= 4
    found = at(high)
  }
  let best = { price: high, bound: found.bound }
  for (let i = 0; i < halvings && high - low > 1e-15 * high; i++) {
    const middle = (low + high) / 2
    const next = at(middle)
    if (next.bound > best.bound) best = { price: middle, bound: next.bound }
    if (next.cost <= limit) {
      high = middle
      if (next.lost < found.lost) found = next
    } else low = middle
  }
  return { found: { choices: found.choices, cost: found.cost, lost: found.lost }, ...best }
}

/** Points of a curve that are best at some price, the dearest first. */
export function hullOf({ cost, lost }: Curve): number[] {
  const hull: number[] = []
  for (let point = 0; point < cost.length; point++) {
    // Of two points of the same cost the one that loses less; curves may be flat.
    while (hull.length > 0 && cost[hull.at(-1)!]! <= cost[point]! && lost[hull.at(-1)!]! >= lost[point]!) hull.pop()
    while (hull.length >= 2 && !isBelow(hull.at(-2)!, hull.at(-1)!, point)) hull.pop()
    hull.push(point)
  }
  return hull

  /** Whether the middle one of three points lies below the line between the others. */
  function isBelow(one: number, middle: number, other: number): boolean {
    const [saved, savedInAll] = [cost[one]! - cost[middle]!, cost[one]! - cost[other]!]
    return (lost[middle]! - lost[one]!) * savedInAll < (lost[other]! - lost[one]!) * saved
  }
}

/** The point of a hull that is best at a price: the last one to which it pays to go. */
function bestPoint({ cost, lost }: Curve, hull: readonly number[], price: number): number {
  let [low, high] = [0, hull.length - 1]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    const [before, point] = [hull[middle - 1]!, hull[middle]!]
    if (lost[point]! - lost[before]! <= price * (cost[before]! - cost[point]!)) low = middle
    else high = middle - 1
  }
  return hull[low]!
}

function bestAt(layer: LayerChoices, hulls: Record<Kind, number[]>, price: number): Choice {
  const choice = {
    heads: bestPoint(layer.heads, hulls.heads, price),
    channels: bestPoint(layer.channels, hulls.channels, price),
  }
  if (layer.gone === null) return choice
  const stays = kinds.reduce(
    (sum, kind) => sum + layer[kind].lost[choice[kind]]! + price * layer[kind].cost[choice[kind]]!,
    price * layer.rest,
  )
  return layer.gone <= stays ? null : choice
}
