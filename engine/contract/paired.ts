import type { Paired } from './evaluation.ts'

/**
 * What changed on rows that two models answered: flips (Dutta et al., arXiv 2407.09141), the paired difference of their
 * accuracies, and McNemar's exact test of whether one is right more often.
 *
 * @param before a 1 for each row that the first model got right, a 0 for others
 * @param after the same of the second model on the same rows
 * @throws TypeError where the rows are not as many
 */
export function compareAnswers(before: string, after: string): Paired {
  const n = before.length
  if (n !== after.length) throw new TypeError(`${n} rows cannot be compared with ${after.length}`)
  let [rightToWrong, wrongToRight] = [0, 0]
  for (let i = 0; i < n; i++) {
    if (before[i] === after[i]) continue
    if (before[i] === '1') rightToWrong++
    else wrongToRight++
  }
  const flips = rightToWrong + wrongToRight
  const difference = (wrongToRight - rightToWrong) / n
  return {
    n,
    rightToWrong,
    wrongToRight,
    difference,
    // Differences of single rows are -1, 0 and 1.
    stderr: n < 2 ? null : Math.sqrt((flips - n * difference ** 2) / (n - 1) / n),
    p: binomialTwoSided(Math.min(rightToWrong, wrongToRight), flips),
  }
}

/** Probability that of n fair coins at most `least` show one side, whichever: 2 sum_{i <= least} C(n, i) / 2^n, at most 1. */
function binomialTwoSided(least: number, n: number): number {
  let logTerm = -n * Math.LN2
  let sum = 0
  for (let i = 0; i <= least; i++) {
    sum += Math.exp(logTerm)
    logTerm += Math.log(n - i) - Math.log(i + 1)
  }
  return Math.min(1, 2 * sum)
}
