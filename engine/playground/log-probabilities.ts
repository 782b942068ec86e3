import { logSumExp } from '../training/logits.ts'

/** A token with its log-probability (natural logarithm). */
export interface LikelyToken {
  id: number
  logProbability: number
}

/**
 * Log-probabilities of a token and of the likeliest ones, by logits [vocabulary].
 *
 * @param count of the likeliest tokens
 */
export function logProbabilities(
  scores: Float32Array,
  id: number,
  count: number,
): { logProbability: number; likeliest: LikelyToken[] } {
  const total = logSumExp(scores)
  return {
    logProbability: scores[id]! - total,
    likeliest: likeliest(scores, count).map((each) => ({ id: each, logProbability: scores[each]! - total })),
  }
}

/** Ids of the `count` largest logits, the largest first and of equal ones the first id, in one walk over all. */
function likeliest(scores: Float32Array, count: number): number[] {
  const ids: number[] = []
  if (count === 0) return ids
  for (let id = 0; id < scores.length; id++) {
    if (ids.length === count && scores[id]! <= scores[ids.at(-1)!]!) continue
    let at = ids.length
    while (at > 0 && scores[ids[at - 1]!]! < scores[id]!) at--
    ids.splice(at, 0, id)
    if (ids.length > count) ids.pop()
  }
  return ids
}
