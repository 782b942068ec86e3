import { columnsOf, format, heading } from './columns.ts'
import type { Metrics, RunResult, Statistic, SummaryRow } from './summary.ts'

function cell(column: string, value: Statistic | undefined): string {
  if (!value) return ''
  const shown = format(column, value.mean)
  return value.deviation === null ? shown : `${shown} ± ${format(column, value.deviation)}`
}

/** Mean and standard deviation over seeds as a Markdown table, the dense checkpoint first. */
export function markdownTable(rows: readonly SummaryRow[], dense: Metrics | null): string {
  const varied = [...new Set(rows.flatMap((row) => Object.keys(row.varied)))]
  const columns = columnsOf(rows)
  const lines = [
    [...varied, ...columns.map(heading)],
    [...varied.map(() => '---'), ...columns.map(() => '---:')],
    ...(dense
      ? [
          [
            ...varied.map((_, i) => (i === 0 ? 'dense' : '')),
            ...columns.map((column) => (dense[column] === undefined ? '' : format(column, dense[column]))),
          ],
        ]
      : []),
    ...rows.map((row) => [
      ...varied.map((name) => String(row.varied[name] ?? '')),
      ...columns.map((column) => cell(column, row.metrics[column])),
    ]),
  ]
  return lines.map((cells) => `| ${cells.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`).join('\n')
}

/** Every run as a row of comma-separated values (RFC 4180), numbers in full. */
export function runsCsv(results: readonly RunResult[], dense: Metrics | null): string {
  const varied = [...new Set(results.flatMap((result) => Object.keys(result.varied)))]
  const columns = columnsOf([...results, ...(dense ? [{ metrics: dense }] : [])])
  return csv([
    [...varied, ...columns],
    ...(dense
      ? [[...varied.map((_, i) => (i === 0 ? 'dense' : '')), ...columns.map((column) => dense[column] ?? '')]]
      : []),
    ...results.map((result) => [
      ...varied.map((name) => result.varied[name] ?? ''),
      ...columns.map((column) => result.metrics[column] ?? ''),
    ]),
  ])
}

/** Means, standard deviations and numbers of runs, a row for all seeds of a setting. */
export function summaryCsv(rows: readonly SummaryRow[]): string {
  const varied = [...new Set(rows.flatMap((row) => Object.keys(row.varied)))]
  const columns = columnsOf(rows)
  return csv([
    [...varied, 'runs', ...columns.flatMap((column) => [`${column} mean`, `${column} deviation`])],
    ...rows.map((row) => [
      ...varied.map((name) => row.varied[name] ?? ''),
      Math.max(0, ...Object.values(row.metrics).map(({ n }) => n)),
      ...columns.flatMap((column) => [row.metrics[column]?.mean ?? '', row.metrics[column]?.deviation ?? '']),
    ]),
  ])
}

const csv = (rows: readonly (readonly unknown[])[]): string =>
  rows.map((cells) => `${cells.map(quoted).join(',')}\r\n`).join('')

function quoted(value: unknown): string {
  const text = String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
