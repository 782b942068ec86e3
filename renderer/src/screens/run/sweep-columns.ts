import type { engine } from '../../../../electron/contract/index.ts'
import { capital } from '../../format.ts'
import { taskTitle } from '../../names.ts'
import { errorText, metricText } from '../compare/metric-text.ts'
import type { MetricType } from '../compare/metrics.ts'

type Column = engine.SweepState['columns'][number]

const types: Record<engine.SweepColumnKind, MetricType> = {
  perplexity: 'perplexity',
  percent: 'accuracy',
  count: 'count',
  bytes: 'bytes',
  seconds: 'seconds',
  speed: 'speed',
  loss: 'loss',
}

/** A number of a sweep's table with its unit. */
export const cellText = ({ kind }: Column, value: number | undefined): string =>
  value === undefined ? '–' : metricText(types[kind], value)

/** A standard deviation, as it stands behind "±"; empty where a count is the same for every seed. */
export function deviationText(column: Column, deviation: number): string {
  const type = types[column.kind]
  if (type === 'count' && deviation === 0) return ''
  return type === 'accuracy' || type === 'perplexity' || type === 'loss'
    ? errorText(type, { error: deviation })
    : cellText(column, deviation)
}

/** `boolq` as BoolQ, `perplexity wiki` as Perplexity wiki. */
export function columnTitle({ name }: Column): string {
  const title = taskTitle(name)
  return title === name ? capital(name) : title
}

/** What is looked at first, run by run; the means have every column. */
export const mainColumns = (columns: readonly Column[]): Column[] =>
  columns.filter(
    ({ name, kind }) =>
      kind === 'perplexity' || ['parameters', 'mean accuracy', 'peak memory', 'seconds'].includes(name),
  )

/** Settings that any of the rows has, in the order of the first that has them. */
export const variedOf = (rows: readonly { varied: Record<string, unknown> }[]): string[] => [
  ...new Set(rows.flatMap(({ varied }) => Object.keys(varied))),
]
