import type { SampledToken } from './addon.ts'
import type { LikelyToken } from './messages.ts'

/**
 * Log-probability of a token, and of the likeliest ones, by what llama.cpp told of its place: logits of some tokens with the
 * weight of all of them, or, in packages before 3.22, the probabilities of all.
 *
 * @param count of the likeliest tokens
 */
export function logProbabilitiesOf(
  [, probabilities, , logits, totalWeight]: SampledToken,
  id: number,
  count: number,
): { logProbability: number; likeliest: LikelyToken[] } {
  const values = logits ? byLogits(logits, totalWeight!) : pairs(probabilities ?? [], Math.log)
  const likeliest = [...values]
    .map(([each, logProbability]) => ({ id: each, logProbability }))
    .toSorted((one, other) => other.logProbability - one.logProbability || one.id - other.id)
    .slice(0, count)
  return { logProbability: values.get(id) ?? -Infinity, likeliest }
}

/** The largest logit of all is among those that are told. */
function byLogits(logits: readonly number[], totalWeight: number): Map<number, number> {
  const values = pairs(logits, (logit) => logit)
  const total = Math.max(...values.values()) + Math.log(totalWeight)
  return new Map([...values].map(([id, logit]) => [id, logit - total]))
}

const pairs = (list: readonly number[], map: (value: number) => number): Map<number, number> =>
  new Map(Array.from({ length: list.length / 2 }, (_, at) => [list[2 * at]!, map(list[2 * at + 1]!)]))
