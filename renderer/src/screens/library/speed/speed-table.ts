import type { SpeedReport, SpeedRow } from '../../../../../electron/contract/index.ts'
import { csvLine } from '../../../csv.ts'
import { bytes, counted, date, number, parameters } from '../../../format.ts'
import { toMarkdown } from '../../compare/table.ts'
import { passedText, typeName } from '../../playground/runners.ts'

export interface SpeedCell {
  text: string
  /** What is said below it: how much that is of the checkpoint that is laid beside, of all but that one itself. */
  detail: string | null
}

export interface SpeedLine {
  key: string
  checkpointId: number
  name: string
  held: string
  /** In the order of the columns after those of the name and of the type. */
  cells: SpeedCell[]
}

/** How many bits a parameter takes. */
const bitsOf = ({ weightBytes, parameters: count }: SpeedRow): number => (8 * weightBytes) / count

const isSameForm = (one: SpeedRow, other: SpeedRow): boolean =>
  one.ran.runner === other.ran.runner && one.ran.type === other.ran.type

/** The checkpoint that one is laid beside: the first of those that ran in the same form. */
function besideOf({ rows }: SpeedReport, row: SpeedRow): SpeedRow | undefined {
  const first = rows.find((other) => isSameForm(other, row))
  return first === row ? undefined : first
}

/** Sizes as parts of the dense checkpoint's, speeds as multiples. */
const part = (value: number, of: number | undefined): string | null =>
  of === undefined ? null : `${number((100 * value) / of, 3)}%`
const times = (value: number, of: number | undefined): string | null =>
  of === undefined ? null : `${number(value / of, 3)}×`

/** Columns of figures. */
export const speedColumns = ({ rows }: SpeedReport): { name: string; unit: string | null }[] => [
  ...['Parameters', 'Weights', 'Memory'].map((name) => ({ name, unit: null })),
  ...rows[0]!.lengths.flatMap(({ prompt }) =>
    [`Prompt of ${prompt}`, `After ${prompt}`].map((name) => ({ name, unit: 'tokens/s' })),
  ),
]

export const speedLines = (report: SpeedReport): SpeedLine[] =>
  report.rows.map((row) => {
    const beside = besideOf(report, row)
    return {
      key: `${row.checkpointId} ${row.ran.runner} ${row.ran.type}`,
      checkpointId: row.checkpointId,
      name: row.name,
      held: typeName(row.ran),
      cells: [
        { text: parameters(row.parameters), detail: part(row.parameters, beside?.parameters) },
        {
          text: bytes(row.weightBytes),
          detail: [`${number(bitsOf(row), 3)} bits`, part(row.weightBytes, beside?.weightBytes) ?? []]
            .flat()
            .join(' · '),
        },
        { text: bytes(row.memoryBytes), detail: part(row.memoryBytes, beside?.memoryBytes) },
        ...row.lengths.flatMap(({ prompt, ...speeds }) => {
          const other = beside?.lengths.find((at) => at.prompt === prompt)
          return (['promptTokensPerSecond', 'generatedTokensPerSecond'] as const).map((which) => ({
            text: number(speeds[which], 3),
            detail: times(speeds[which], other?.[which]),
          }))
        }),
      ],
    }
  })

/** What ran them, and why not the other: a sentence for each that differs. */
export function ranNotes({ rows }: SpeedReport): string[] {
  const notes = rows.map(({ ran: { name, device, threads, why, passed, runner } }) => {
    const how = threads === null ? device : `${device}, ${counted(threads, 'thread')}`
    const other = why === null ? '' : ` Not on ${runner === 'secateur' ? 'llama.cpp' : 'Secateur'}: ${why}.`
    return `${name} ran ${runner === 'secateur' ? 'it as it is stored' : 'it'} (${how})${passedText(passed)}.${other}`
  })
  return [...new Set(notes)]
}

/** When and on what it was measured, and what the figures are. */
export const measuredText = ({ measured, processor, newTokens, repeats }: SpeedReport): string =>
  `Measured on ${date(measured)} on ${processor}: medians of ${counted(repeats, 'run')}, ${counted(newTokens, 'token')} generated after each prompt.`

/** What a list of measurements says of one. */
export const reportTitle = (report: SpeedReport): string =>
  `${date(report.measured)}: ${[...new Set(report.rows.map(({ ran }) => typeName(ran)))].join(', ')}`

export function speedMarkdown(report: SpeedReport, name: string): string {
  const table = toMarkdown({
    columns: [
      'Checkpoint',
      'Runs as',
      ...speedColumns(report).map(({ name: column, unit }) => (unit === null ? column : `${column}, ${unit}`)),
    ],
    sections: [
      {
        title: `Speed of ${name}`,
        rows: speedLines(report).map((line) => ({
          label: line.name,
          cells: [line.held, ...line.cells.map(({ text, detail }) => (detail === null ? text : `${text} (${detail})`))],
        })),
      },
    ],
  })
  return `${table}\n${[measuredText(report), ...ranNotes(report)].join(' ')}\n`
}

/** The same for programs: a line for each checkpoint, type and length of the prompt, numbers as they are. */
export const speedCsv = ({ rows, measured, processor, newTokens, repeats }: SpeedReport): string =>
  [
    csvLine([
      'Checkpoint',
      'Runner',
      'Type',
      'Threads',
      'Parameters',
      'Weight bytes',
      'Memory bytes',
      'Prompt tokens',
      'Prompt tokens/s',
      'Generated tokens/s',
      'New tokens',
      'Repeats',
      'Measured',
      'Processor',
    ]),
    ...rows.flatMap(({ name, ran, parameters: count, weightBytes, memoryBytes, lengths }) =>
      lengths.map(({ prompt, promptTokensPerSecond, generatedTokensPerSecond }) =>
        csvLine([
          name,
          ran.name,
          ran.type,
          ran.threads,
          count,
          weightBytes,
          memoryBytes,
          prompt,
          promptTokensPerSecond,
          generatedTokensPerSecond,
          newTokens,
          repeats,
          new Date(measured).toISOString(),
          processor,
        ]),
      ),
    ),
  ].join('')
