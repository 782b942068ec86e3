import { isTaskName, taskDescriptions } from '../contract/index.ts'
import { sum } from '../shared/sum.ts'

/** Arithmetic mean; of at least one value. */
export function mean(values: readonly number[]): number {
  return sum(values) / values.length
}

/**
 * Standard error of the mean: the sample standard deviation (n - 1) divided by the square root of n; null for fewer than
 * two values, where it is not defined.
 */
export function standardError(values: readonly number[]): number | null {
  const n = values.length
  if (n < 2) return null
  const centre = mean(values)
  const squares = sum(values.map((value) => (value - centre) ** 2))
  return Math.sqrt(squares / (n - 1) / n)
}

/**
 * Standard error of the mean of parts that are weighted by their sizes, from a variance that is pooled over the parts, as
 * lm-evaluation-harness has it; null where a part has none.
 */
export function pooledError(parts: readonly { stderr: number | null; n: number }[]): number | null {
  const n = sum(parts.map((part) => part.n))
  let squares = 0
  for (const part of parts) {
    if (part.stderr === null) return null
    squares += (part.n - 1) * part.stderr ** 2 * part.n
  }
  return Math.sqrt(squares / (n - parts.length) / n)
}

/**
 * Unweighted mean over tasks, of acc (`acc`) or of the metric that LLM-Pruner's and LoRAPrune's tables show for each task
 * (`published`: acc_norm for HellaSwag, ARC-Challenge and OpenBookQA, acc for the others).
 */
export function macroAverage(
  scores: Readonly<Record<string, { acc: number; accNorm?: number | undefined }>>,
  metric: 'acc' | 'published',
): number {
  const values = Object.entries(scores).map(([name, score]) =>
    metric === 'published' && isTaskName(name) && taskDescriptions[name].published === 'accNorm'
      ? score.accNorm!
      : score.acc,
  )
  return mean(values)
}
