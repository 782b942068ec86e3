import { type Likeliest, sumWithin } from '../backends/likeliest.ts'
import type { Sampling } from './sampling.ts'

/**
 * The id that a look at all scores would pick, or null where the likeliest tokens do not decide that: the nucleus or the drawn
 * point lies beyond them, or so near a border that the sum over all, which is known within some thousandths, matters.
 *
 * Weights are added in the order in which a ranking of all tokens adds them, so that what is decided has the same bits.
 *
 * @param at where in the weight of what is drawn from, from 0 up to 1, the drawn token is
 */
export function pickAmong(likeliest: Likeliest, { temperature, topP, topK = 0 }: Sampling, at: number): number | null {
  if (temperature === 0) return likeliest.best
  const { ids, weights } = ranked(likeliest, temperature)
  // A sum is 1 at least, the highest score's share; NaN is not.
  if (topK > weights.length || !(likeliest.sum > 0.5)) return null
  const count = topK > 0 ? topK : Number.POSITIVE_INFINITY
  let least = likeliest.sum * (1 - sumWithin)
  let most = likeliest.sum * (1 + sumWithin)
  if (topK > 0) least = most = sumOf(weights, topK)
  let size = count
  if (topP < 1) {
    let nucleus = 0
    for (size = 0; size < count && nucleus < topP * most; size++) {
      if (!(nucleus < topP * least) || size === weights.length) return null
      nucleus += weights[size]!
    }
    least = most = nucleus
  }
  least *= at
  most *= at
  for (let place = 0; place < size; place++) {
    if (place === weights.length) return null
    least -= weights[place]!
    most -= weights[place]!
    if (most < 0) return ids[place]!
    if (least < 0) return null
  }
  return likeliest.best
}

/**
 * Ids and weights of what is certainly ranked before all tokens that are not listed: these score less than the bound, but a
 * weight may round to its weight.
 */
function ranked({ ids, scores, bound }: Likeliest, temperature: number): { ids: number[]; weights: number[] } {
  const highest = scores.reduce((top, score) => Math.max(top, score), Number.NEGATIVE_INFINITY)
  const weightOf = (score: number) => Math.exp((score - highest) / temperature)
  const least = weightOf(bound)
  const tokens = Array.from(ids, (id, i) => ({ id, weight: weightOf(scores[i]!) }))
    .filter(({ weight }) => weight > least)
    .toSorted((one, other) => other.weight - one.weight || one.id - other.id)
  return { ids: tokens.map(({ id }) => id), weights: tokens.map(({ weight }) => weight) }
}

function sumOf(weights: readonly number[], count: number): number {
  let sum = 0
  for (let place = 0; place < count; place++) sum += weights[place]!
  return sum
}
