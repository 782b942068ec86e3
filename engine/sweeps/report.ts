import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Ran, type Scores, type SweepJob, writersOf } from '../contract/index.ts'
import { writeFileAtomically } from '../shared/files.ts'
import { changedSettings, settingsTable } from './changed-settings.ts'
import { expandSweep } from './expand.ts'
import { type Figure, figuresOf } from './figures.ts'
import { type Metrics, type RunResult, summaryRows, type SummaryRow } from './summary.ts'
import { markdownTable, runsCsv, summaryCsv } from './table.ts'

export interface SweepOutcome {
  sweep: SweepJob
  results: readonly RunResult[]
  /** Runs in all, and those that ended in an error, with its words. */
  runs: number
  failures: readonly { name: string; message: string }[]
  dense: Metrics | null
  /** Texts that the dense checkpoint and the runs wrote for the same prompts, and what ran them. */
  examples: readonly { name: string; examples: NonNullable<Scores['examples']>; ran?: Ran | undefined }[]
}

/** Files of a sweep's report. */
export const reportFiles = { report: 'report.md', runs: 'runs.csv', table: 'table.csv', figures: 'figures' } as const

/**
 * Writes report.md (the table with its figures), table.csv (means and standard deviations over seeds), runs.csv (every
 * run) and figures/ into a sweep's folder. Returns the path of the report.
 */
export function writeReport(folder: string, outcome: SweepOutcome): string {
  const { results, dense } = outcome
  const rows = summaryRows(results)
  const figures = figuresOf(rows, dense)
  const figureFolder = join(folder, reportFiles.figures)
  if (existsSync(figureFolder)) rmSync(figureFolder, { recursive: true })
  for (const { name, svg } of figures) writeFileAtomically(join(figureFolder, `${name}.svg`), svg)
  writeFileAtomically(join(folder, reportFiles.table), summaryCsv(rows))
  writeFileAtomically(join(folder, reportFiles.runs), runsCsv(results, dense))
  const report = join(folder, reportFiles.report)
  writeFileAtomically(report, reportText(outcome, rows, figures))
  return report
}

/** The report as Markdown, with the figures that lie beside it. */
export function reportText(
  { sweep, results, runs, dense, failures, examples }: SweepOutcome,
  rows: readonly SummaryRow[],
  figures: readonly Figure[],
): string {
  const parts = [
    `# ${sweep.preset ? `Sweep: ${sweep.preset}` : 'Sweep'}`,
    `${results.length} of ${runs} runs on \`${sweep.checkpoint}\`. Where a setting was run with several seeds, figures are mean ± standard deviation.`,
    ...(rows.length > 0 ? [markdownTable(rows, dense)] : []),
    ...figures.map(({ name, title }) => `![${title}](${reportFiles.figures}/${name}.svg)`),
    '## Settings',
    'What all runs have that is not the default; what they differ in stands in the table above.',
    settingsTable(changedSettings(expandSweep(sweep).map(({ job }) => job))),
    ...(failures.length > 0
      ? ['## Runs that failed', failures.map(({ name, message }) => `- ${name}: ${message}`).join('\n')]
      : []),
    ...examplesText(examples),
  ]
  return `${parts.join('\n\n')}\n`
}

function examplesText(all: SweepOutcome['examples']): string[] {
  const prompts = [...new Set(all.flatMap(({ examples }) => examples.map(({ prompt }) => prompt)))]
  if (prompts.length === 0) return []
  return [
    '## Examples',
    ...prompts.flatMap((prompt) => [
      `### ${JSON.stringify(prompt)}`,
      ...all.flatMap(({ name, examples }) =>
        examples
          .filter((example) => example.prompt === prompt)
          .map(({ text }) => `**${name}:** ${text.replaceAll('\n', ' ')}`),
      ),
    ]),
    ...writerLines(all),
  ]
}

/** A sentence for each program that wrote examples. */
const writerLines = (all: SweepOutcome['examples']): string[] =>
  writersOf(all, ({ name, type }) => `${name} (${type})`).map(
    ({ by, names }) => `Written by ${by}${names === null ? '' : `: ${names.join('; ')}`}.`,
  )
