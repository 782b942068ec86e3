import type { Comparison } from '../../../../electron/contract/index.ts'
import { csvLine } from '../../csv.ts'
import { taskTitle } from '../../names.ts'
import { settingLabel } from '../new-run/presentation.ts'
import { settingText } from '../new-run/setting-text.ts'
import { comparedRuns } from './compared-runs.ts'
import { type MetricRow, metricRows } from './metrics.ts'
import { errorText, metricText } from './metric-text.ts'

/** A comparison as text that other programs take: the same tables that the screen shows. */
export interface ComparisonTable {
  /** First the name of what is compared, then the runs. */
  readonly columns: readonly string[]
  readonly sections: readonly { title: string; rows: readonly { label: string; cells: readonly string[] }[] }[]
}

/** @param allSettings also those settings that are the same for all runs. */
export function comparisonTable(data: Comparison, allSettings: boolean): ComparisonTable {
  return {
    columns: ['', ...comparedRuns(data).map(({ label }) => label)],
    sections: [
      { title: 'Metrics', rows: metricRows(data.runs, taskTitle).map(metricCells) },
      {
        title: allSettings ? 'Settings' : 'Settings that differ',
        rows: data.settings
          .filter(({ differs }) => allSettings || differs)
          .map(({ name, values }) => ({
            label: settingLabel(name),
            cells: values.map((value) => settingText(name, value)),
          })),
      },
      { title: 'Heads and channels kept', rows: keptRows(data.layers) },
    ].filter(({ rows }) => rows.length > 0),
  }
}

/** A metric with what marks the best runs and with standard errors. */
const metricCells = ({ label, type, better, values, best, close }: MetricRow) => ({
  label: `${label} (${better} is better)`,
  cells: values.map((value, at) => {
    if (!value) return ''
    const error = errorText(type, value)
    return `${best[at] ? '★ ' : close[at] ? '≈ ' : ''}${metricText(type, value.value)}${error ? ` ± ${error}` : ''}`
  }),
})

const keptRows = (layers: Comparison['layers']) =>
  Array.from({ length: Math.max(0, ...layers.map((run) => run.layers.length)) }, (_, layer) => ({
    label: `Layer ${layer}`,
    cells: layers.map((run) => {
      const own = run.layers[layer]
      return own ? `${own.heads} of ${own.headsOf} heads, ${own.channels} of ${own.channelsOf} channels` : ''
    }),
  }))

/** The same for programs: numbers as they are, standard errors and counts in lines of their own. */
export function comparisonCsv(data: Comparison, allSettings: boolean): string {
  const metrics = metricRows(data.runs, taskTitle)
  const settings = data.settings.filter(({ differs }) => allSettings || differs)
  const lines: Cells[] = [
    ['Section', 'Name', ...comparedRuns(data).map(({ label }) => label)],
    ...metrics.map(({ label, values }): Cells => ['Metrics', label, ...values.map((each) => each?.value ?? null)]),
    ...metrics
      .filter(({ values }) => values.some((each) => typeof each?.error === 'number'))
      .map(({ label, values }): Cells => ['Standard errors', label, ...values.map((each) => each?.error ?? null)]),
    ...settings.map(({ name, values }): Cells => ['Settings', settingLabel(name), ...values.map(settingCell)]),
    ...keptCells(data.layers),
  ]
  return lines.map(csvLine).join('')
}

type Cells = (string | number | null)[]

const settingCell = (value: unknown): string | number | null =>
  value === null || typeof value === 'number' || typeof value === 'string' ? value : JSON.stringify(value)

const keptCells = (layers: Comparison['layers']): Cells[] =>
  Array.from({ length: Math.max(0, ...layers.map((run) => run.layers.length)) }, (_, layer) =>
    (['heads', 'channels'] as const).map((kind): Cells => [
      'Kept',
      `Layer ${layer}, ${kind}`,
      ...layers.map((run) => run.layers[layer]?.[kind] ?? null),
    ]),
  ).flat()

/** Tables of GitHub's Markdown, one a section. */
export function toMarkdown({ columns, sections }: ComparisonTable): string {
  return sections
    .map(({ title, rows }) =>
      [
        `## ${title}`,
        '',
        markdownRow(columns),
        `|${columns.map((_, index) => (index === 0 ? ' --- |' : ' ---: |')).join('')}`,
        ...rows.map(({ label, cells }) => markdownRow([label, ...cells])),
        '',
      ].join('\n'),
    )
    .join('\n')
}

const markdownRow = (cells: readonly string[]) =>
  `| ${cells.map((cell) => cell.replaceAll(/[\\|`*_<>[\]]/g, '\\$&').replaceAll(/\s*[\r\n]+\s*/g, ' ')).join(' | ')} |`
