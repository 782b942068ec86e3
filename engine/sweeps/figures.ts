import { type Chart, drawChart, type Series } from './chart.ts'
import { columnsOf, heading, kindOf, slugOf } from './columns.ts'
import type { Metrics, SummaryRow } from './summary.ts'

export interface Figure {
  /** Name of its file, without an ending. */
  name: string
  title: string
  svg: string
}

/** A figure a number that is worth one: the first setting that varies lies along, the others are told apart by colour. */
export function figuresOf(rows: readonly SummaryRow[], dense: Metrics | null): Figure[] {
  const names = [...new Set(rows.flatMap(({ varied }) => Object.keys(varied)))]
  if (names.length === 0) return []
  const along = mostValues(rows, names)
  return columnsOf(rows)
    .filter((column) => worthDrawing(rows, column))
    .map((column) => {
      const chart: Chart = {
        title: `${heading(column)} by ${along}`,
        xLabel: along,
        yLabel: heading(column),
        series: seriesOf(rows, column, along, names),
        reference: dense?.[column] === undefined ? undefined : { name: 'dense', y: scaled(column, dense[column]) },
        logarithmic: kindOf(column) === 'perplexity' && spansDecades(rows, column),
      }
      return { name: slugOf(column), title: chart.title, svg: drawChart(chart) }
    })
}

/** The setting with most values, so that there are few colours. */
function mostValues(rows: readonly SummaryRow[], names: readonly string[]): string {
  const count = (name: string) => new Set(rows.map(({ varied }) => varied[name])).size
  return names.toSorted((one, other) => count(other) - count(one))[0]!
}

/** What is the same everywhere tells nothing. */
function worthDrawing(rows: readonly SummaryRow[], column: string): boolean {
  const values = rows.flatMap(({ metrics }) => (metrics[column] ? [metrics[column].mean] : []))
  return values.length > 1 && new Set(values).size > 1
}

function spansDecades(rows: readonly SummaryRow[], column: string): boolean {
  const values = rows.flatMap(({ metrics }) => (metrics[column] ? [metrics[column].mean] : []))
  return Math.max(...values) > 10 * Math.min(...values)
}

function seriesOf(rows: readonly SummaryRow[], column: string, along: string, names: readonly string[]): Series[] {
  const series = new Map<string, Series>()
  for (const { varied, metrics } of rows) {
    const value = metrics[column]
    if (!value) continue
    const name = names
      .filter((setting) => setting !== along && varied[setting] !== undefined)
      .map((setting) => `${setting} ${String(varied[setting])}`)
      .join(', ')
    const one = series.get(name) ?? { name, points: [] }
    const x = varied[along]
    one.points.push({
      x: typeof x === 'number' ? x : String(x),
      y: scaled(column, value.mean),
      error: value.deviation === null ? null : scaled(column, value.deviation),
    })
    series.set(name, one)
  }
  return [...series.values()]
}

/** In the unit of the heading. */
function scaled(column: string, value: number): number {
  const kind = kindOf(column)
  return kind === 'percent' ? 100 * value : kind === 'bytes' ? value / 1e6 : value
}
