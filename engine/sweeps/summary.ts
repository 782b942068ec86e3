import { mean, sampleStandardDeviation } from 'simple-statistics'
import type { BesideDense, ResultEvent } from '../contract/index.ts'
import { macroAverage } from '../evaluation/statistics.ts'
import { columnsOf } from './columns.ts'
import type { SweepRun } from './expand.ts'

/** What a run came to. */
export interface RunResult {
  name: string
  varied: SweepRun['varied']
  metrics: Metrics
}

/** Numbers by column. */
export type Metrics = Record<string, number>

export interface Statistic {
  mean: number
  /** Sample standard deviation over seeds; null for one run. */
  deviation: number | null
  n: number
}

/** Runs that differ in their seed alone. */
export interface SummaryRow {
  varied: SweepRun['varied']
  metrics: Record<string, Statistic>
}

/** The numbers of a result, by the names of their columns. */
export function metricsOf(result: ResultEvent, multiplyAdds: number | null): Metrics {
  const metrics: Metrics = {}
  if (result.parameters) metrics['parameters'] = result.parameters.after
  if (multiplyAdds !== null) metrics['multiply-adds'] = multiplyAdds
  for (const [name, { value }] of Object.entries(result.perplexity ?? {})) metrics[`perplexity ${name}`] = value
  const tasks = result.tasks ?? {}
  const names = Object.keys(tasks)
  if (names.length > 1) metrics['mean accuracy'] = macroAverage(tasks, 'acc')
  for (const name of names) metrics[name] = tasks[name]!.acc
  Object.assign(metrics, besideDenseMetrics(result.besideDense))
  if (result.classification) {
    metrics['top-1'] = result.classification.top1
    metrics['top-5'] = result.classification.top5
    if (result.classification.imagesPerSecond !== null) metrics['images/s'] = result.classification.imagesPerSecond
  }
  if (result.density) {
    metrics['density before merging'] = result.density.before
    metrics['density after merging'] = result.density.after
  }
  for (const { prompt, promptTokensPerSecond, generatedTokensPerSecond } of result.latency?.byLength ?? []) {
    metrics[`prompt of ${prompt}, tokens/s`] = promptTokensPerSecond
    metrics[`generation after ${prompt}, tokens/s`] = generatedTokensPerSecond
  }
  if (result.latency && !result.latency.byLength) {
    metrics['prompt, tokens/s'] = result.latency.promptTokensPerSecond
    metrics['generation, tokens/s'] = result.latency.generatedTokensPerSecond
  }
  if (result.loss !== undefined && result.loss !== null) metrics['loss'] = result.loss
  if (result.peakMemoryBytes !== undefined) metrics['peak memory'] = result.peakMemoryBytes
  if (result.seconds !== undefined) metrics['seconds'] = result.seconds
  return metrics
}

/**
 * How far a model went from the dense one: flips, the share of all rows whose answer became wrong or right (arXiv
 * 2407.09141), and of each text the mean KL divergence in nats a token and the share of tokens that both find likeliest.
 */
function besideDenseMetrics(beside: BesideDense | undefined): Metrics {
  if (!beside) return {}
  const metrics: Metrics = {}
  const paired = [...Object.values(beside.tasks), ...(beside.images ? [beside.images] : [])]
  const rows = paired.reduce((sum, { n }) => sum + n, 0)
  const flips = paired.reduce((sum, { rightToWrong, wrongToRight }) => sum + rightToWrong + wrongToRight, 0)
  if (rows > 0) metrics['flips'] = flips / rows
  for (const [name, { divergence, agreement }] of Object.entries(beside.texts)) {
    metrics[`KL ${name}`] = divergence
    metrics[`same token ${name}`] = agreement
  }
  return metrics
}

/** Puts runs together that differ in their seed alone. */
export function summaryRows(results: readonly RunResult[]): SummaryRow[] {
  const rows = new Map<string, RunResult[]>()
  for (const result of results) {
    const { seed: _, ...rest } = result.varied
    const key = JSON.stringify(rest)
    rows.set(key, [...(rows.get(key) ?? []), { ...result, varied: rest }])
  }
  return [...rows.values()].map((same) => ({
    varied: same[0]!.varied,
    metrics: Object.fromEntries(
      columnsOf(same).map((column) => [
        column,
        statistic(same.flatMap(({ metrics }) => (metrics[column] === undefined ? [] : [metrics[column]]))),
      ]),
    ),
  }))
}

/** Mean and sample standard deviation (n - 1). */
export const statistic = (values: readonly number[]): Statistic => ({
  mean: mean([...values]),
  deviation: values.length < 2 ? null : sampleStandardDeviation([...values]),
  n: values.length,
})
