import type { Comparison } from '../../../../electron/contract/index.ts'
import { csvLine } from '../../csv.ts'
import { percent } from '../../format.ts'
import { settingLabel } from '../new-run/presentation.ts'
import { settingText } from '../new-run/setting-text.ts'
import { comparedRuns } from './compared-runs.ts'
import { type ComparedMetrics, comparedMetrics } from './dense-columns.ts'
import { changeOf, type MetricRow } from './metrics.ts'
import { changeText, errorText, metricText } from './metric-text.ts'

/** A comparison as text that other programs take: the same tables that the screen shows. */
export interface ComparisonTable {
  /** First the name of what is compared, then the runs. */
  readonly columns: readonly string[]
  readonly sections: readonly { title: string; rows: readonly { label: string; cells: readonly string[] }[] }[]
}

/** @param allSettings also those settings that are the same for all runs. */
export function comparisonTable(data: Comparison, allSettings: boolean): ComparisonTable {
  const { dense, rows: metrics, baselines } = comparedMetrics(data.runs)
  // Only metrics have something to say of the dense checkpoints.
  const beside = dense.map(() => '')
  return {
    columns: ['', ...dense.map(({ label }) => label), ...comparedRuns(data).map(({ label }) => label)],
    sections: [
      { title: 'Metrics', rows: metrics.map((row) => metricCells(row, baselines)) },
      {
        title: allSettings ? 'Settings' : 'Settings that differ',
        rows: data.settings
          .filter(({ differs }) => allSettings || differs)
          .map(({ name, values }) => ({
            label: settingLabel(name),
            cells: [...beside, ...values.map((value) => settingText(name, value))],
          })),
      },
      {
        title: 'Heads and channels kept',
        rows: keptRows(data.layers).map(({ label, cells }) => ({ label, cells: [...beside, ...cells] })),
      },
    ].filter(({ rows }) => rows.length > 0),
  }
}

/** A metric with what marks the best runs, with standard errors and with what changed from dense. */
const metricCells = (row: MetricRow, baselines: ComparedMetrics['baselines']) => ({
  label: `${row.label} (${row.better} is better)`,
  cells: row.values.map((value, at) => {
    if (!value) return ''
    const error = errorText(row.type, value)
    const changed = changeAt(row, at, baselines)
    const change = changed && `, ${changeText(row.type, changed.change)} (${percent(changed.kept, 1)})`
    return `${row.best[at] ? '★ ' : row.close[at] ? '≈ ' : ''}${metricText(row.type, value.value)}${error ? ` ± ${error}` : ''}${change ?? ''}`
  }),
})

function changeAt({ values }: MetricRow, at: number, baselines: ComparedMetrics['baselines']) {
  const baseline = baselines[at] ?? null
  return baseline === null ? null : changeOf(values[baseline], values[at])
}

const keptRows = (layers: Comparison['layers']) =>
  Array.from({ length: Math.max(0, ...layers.map((run) => run.layers.length)) }, (_, layer) => ({
    label: `Layer ${layer}`,
    cells: layers.map((run) => {
      const own = run.layers[layer]
      return own ? `${headsKept(own)}, ${own.channels} of ${own.channelsOf} channels` : ''
    }),
  }))

/** "3 of 4 heads", or "6 of 8 query heads in 3 of 4 key/value groups". */
const headsKept = ({
  heads,
  headsOf,
  keyValueHeads,
  keyValueHeadsOf,
}: Comparison['layers'][number]['layers'][number]) =>
  headsOf === keyValueHeadsOf
    ? `${heads} of ${headsOf} heads`
    : `${heads} of ${headsOf} query heads in ${keyValueHeads} of ${keyValueHeadsOf} key/value groups`

/** The same for programs: numbers as they are, standard errors and counts in lines of their own. */
export function comparisonCsv(data: Comparison, allSettings: boolean): string {
  const { dense, rows: metrics, baselines } = comparedMetrics(data.runs)
  const beside = dense.map(() => null)
  const settings = data.settings.filter(({ differs }) => allSettings || differs)
  const lines: Cells[] = [
    ['Section', 'Name', ...dense.map(({ label }) => label), ...comparedRuns(data).map(({ label }) => label)],
    ...metrics.map(({ label, values }): Cells => ['Metrics', label, ...values.map((each) => each?.value ?? null)]),
    ...metrics
      .filter(({ values }) => values.some((each) => typeof each?.error === 'number'))
      .map(({ label, values }): Cells => ['Standard errors', label, ...values.map((each) => each?.error ?? null)]),
    ...(['change', 'kept'] as const).flatMap((what) =>
      metrics
        .map((row): Cells => {
          const changes = row.values.map((_, at) => changeAt(row, at, baselines)?.[what] ?? null)
          return [what === 'change' ? 'Change from dense' : 'Kept of dense', row.label, ...changes]
        })
        .filter((cells) => cells.some((cell) => typeof cell === 'number')),
    ),
    ...settings.map(({ name, values }): Cells => [
      'Settings',
      settingLabel(name),
      ...beside,
      ...values.map(settingCell),
    ]),
    ...keptCells(data.layers).map(([section, name, ...cells]): Cells => [section!, name!, ...beside, ...cells]),
  ]
  return lines.map(csvLine).join('')
}

type Cells = (string | number | null)[]

const settingCell = (value: unknown): string | number | null =>
  value === null || typeof value === 'number' || typeof value === 'string' ? value : JSON.stringify(value)

const keptKinds = [
  ['heads', 'query heads'],
  ['keyValueHeads', 'key/value groups'],
  ['channels', 'channels'],
] as const

const keptCells = (layers: Comparison['layers']): Cells[] =>
  Array.from({ length: Math.max(0, ...layers.map((run) => run.layers.length)) }, (_, layer) =>
    keptKinds.map(([kind, name]): Cells => [
      'Kept',
      `Layer ${layer}, ${name}`,
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
