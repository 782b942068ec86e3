import type { Comparison } from '../../../../electron/contract/index.ts'

/** What is looked at first, best first: size, then what a run asked for. */
const across = [/^metric\.parametersAfter$/, /^metric\.exportedBytes$/, /^metric\.parametersKept$/, /^setting\.ratio$/]
/** Quality, from scores to losses. */
const up = [
  /^metric\.meanAccuracy$/,
  /^metric\.images\.top1$/,
  /^metric\.perplexity\./,
  /^metric\.validationLoss$/,
  /^metric\.loss$/,
]

/**
 * The axes that a scatter opens with: those that most of the compared runs have both of, and among these what is looked at
 * first. Empty where the runs have nothing of the kind.
 */
export function firstAxes(numbers: Comparison['numbers']): { x: string; y: string } {
  const found = (patterns: readonly RegExp[]) =>
    patterns.flatMap((pattern) => numbers.filter(({ name }) => pattern.test(name)))
  let best = { x: '', y: '', runs: 0 }
  for (const y of found(up))
    for (const x of found(across)) {
      const runs = x.runIds.filter((id) => y.runIds.includes(id)).length
      if (runs > best.runs) best = { x: x.name, y: y.name, runs }
    }
  return { x: best.x, y: best.y }
}
