/** The number of the largest of some logits; of equal ones the first. */
export function likeliest(logits: Float32Array): number {
  let best = 0
  for (const [i, value] of logits.entries()) if (value > logits[best]!) best = i
  return best
}

/** The logarithm of the sum of the exponentials of some logits. */
export function logSumExp(logits: Float32Array): number {
  let most = -Infinity
  for (const value of logits) if (value > most) most = value
  let sum = 0
  for (const value of logits) sum += Math.exp(value - most)
  return most + Math.log(sum)
}
