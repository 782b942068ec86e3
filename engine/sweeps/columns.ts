import type { SweepColumnKind } from '../contract/index.ts'
import { numberText } from '../shared/number-text.ts'

export function kindOf(column: string): SweepColumnKind {
  if (column.startsWith('perplexity ')) return 'perplexity'
  if (column === 'parameters' || column === 'multiply-adds') return 'count'
  if (column === 'peak memory') return 'bytes'
  if (column === 'seconds') return 'seconds'
  if (/(tokens|images)\/s$/.test(column)) return 'speed'
  return column === 'loss' || column.startsWith('KL ') ? 'loss' : 'percent'
}

const thousands = (value: number) => numberText(Math.round(value))

const formats: Record<SweepColumnKind, (value: number) => string> = {
  perplexity: (value) => (value >= 1e5 ? value.toExponential(2) : value.toFixed(value >= 1000 ? 0 : 2)),
  percent: (value) => (100 * value).toFixed(1),
  count: thousands,
  bytes: (value) => (value / 1e6).toFixed(0),
  seconds: (value) => value.toFixed(1),
  speed: thousands,
  loss: (value) => value.toFixed(3),
}
const units: Partial<Record<SweepColumnKind, string>> = { percent: '%', bytes: 'MB' }

export const format = (column: string, value: number): string => formats[kindOf(column)](value)

/** A column's name with its unit. */
export function heading(column: string): string {
  const unit = units[kindOf(column)]
  return unit ? `${column} (${unit})` : column
}

/** Columns that any of some results has, in the order of the first that has them. */
export const columnsOf = (results: readonly { metrics: Record<string, unknown> }[]): string[] => [
  ...new Set(results.flatMap(({ metrics }) => Object.keys(metrics))),
]

/** A name that every file system takes. */
export const slugOf = (name: string): string => name.replaceAll(/[^\w.]+/g, '-')
