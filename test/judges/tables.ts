import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { fixtureModel, type FixtureName } from '../fixtures/read.ts'
import type { Verdict } from './verdicts.ts'

const architectures = z.object({ architectures: z.tuple([z.string()]) })

export const difference = (value: number | undefined): string => (value === undefined ? '' : value.toExponential(0))

/** A Markdown table of rows of cells with a title each; a row may lack some. */
export function table(rows: readonly Record<string, string>[]): string {
  const titles = rows.map((row) => Object.keys(row)).reduce((most, keys) => (keys.length > most.length ? keys : most))
  const cells = rows.map((row) => titles.map((title) => (row[title] ?? '').replaceAll('|', '\\|')))
  const lines = [titles, titles.map(() => '---'), ...cells]
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n')
}

/** A table with a row for each fixture, beginning with its class of transformers. */
export function byModel(
  verdicts: readonly Verdict[],
  cellsOf: (ofModel: readonly Verdict[]) => Record<string, string>,
): string {
  return table(
    [...Map.groupBy(verdicts, ({ model }) => model)].map(([model, ofModel]) => ({
      model,
      class: classOf(model as FixtureName),
      ...cellsOf(ofModel),
    })),
  )
}

/** The class of transformers that a fixture belongs to. */
function classOf(model: FixtureName): string {
  const config: unknown = JSON.parse(readFileSync(join(fixtureModel(model), 'config.json'), 'utf8'))
  return architectures.parse(config).architectures[0]
}
