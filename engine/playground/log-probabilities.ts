/** Logarithm of the sum of exponentials of logits: what a logit must lose to be a log-probability. */
function logSum(scores: Float32Array): number {
  let most = -Infinity
  for (const score of scores) if (score > most) most = score
  let sum = 0
  for (const score of scores) sum += Math.exp(score - most)
  return most + Math.log(sum)
}

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
  const total = logSum(scores)
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
