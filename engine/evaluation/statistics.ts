import { taskDescriptions, type TaskName } from '../contract/index.ts'

/** Arithmetic mean; of at least one value. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/**
 * Standard error of the mean: the sample standard deviation (n - 1) divided by the square root of n; null for fewer than
 * two values, where it is not defined.
 */
export function standardError(values: readonly number[]): number | null {
  const n = values.length
  if (n < 2) return null
  const centre = mean(values)
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0)
  return Math.sqrt(squares / (n - 1) / n)
}

/**
 * Unweighted mean over tasks, of acc (`acc`) or of the metric that LLM-Pruner's and LoRAPrune's tables show for each task
 * (`published`: acc_norm for HellaSwag, ARC-Challenge and OpenBookQA, acc for the others).
 */
export function macroAverage(
  scores: Partial<Record<TaskName, { acc: number; accNorm?: number }>>,
  metric: 'acc' | 'published',
): number {
  const values = Object.entries(scores).map(([name, score]) =>
    metric === 'published' && taskDescriptions[name as TaskName].published === 'accNorm' ? score.accNorm! : score.acc,
  )
  return mean(values)
}
