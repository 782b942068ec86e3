import { type Scores, titleOfTask } from '../../contract/index.ts'
import type { LayerShape } from '../../models/model-config.ts'
import { numberText } from '../../shared/number-text.ts'

/** A Markdown table. */
export const table = (rows: readonly (readonly string[])[]): string =>
  [rows[0]!, rows[0]!.map(() => '---'), ...rows.slice(1)].map((row) => `| ${row.join(' | ')} |`).join('\n')

/** How many parameters there were and are. */
export const parametersText = ({ before, after }: { before: number; after: number }): string =>
  after === before
    ? `${numberText(after)} parameters, as before.`
    : `${numberText(after)} parameters of ${numberText(before)} are left (${((100 * after) / before).toFixed(1)}%).`

/** Heads and channels of each layer; a line for neighbours that are alike. */
export function layersTable(layers: readonly LayerShape[]): string {
  const runs: { first: number; last: number; shape: string[] }[] = []
  for (const [layer, { heads, keyValueHeads, channels }] of layers.entries()) {
    const shape = [heads, keyValueHeads, channels].map(String)
    const run = runs.at(-1)
    if (run && run.shape.join() === shape.join()) run.last = layer
    else runs.push({ first: layer, last: layer, shape })
  }
  const rows = runs.map(({ first, last, shape }) => [first === last ? `${first}` : `${first} to ${last}`, ...shape])
  return table([['layer', 'heads', 'key/value heads', 'channels'], ...rows])
}

const percent = (value: number, error: number | null | undefined) =>
  `${(100 * value).toFixed(2)}%${error == null ? '' : ` ± ${(100 * error).toFixed(2)}`}`

const normText = (score: Scores['tasks'][string] | undefined): string | undefined =>
  score?.accNorm === undefined ? undefined : percent(score.accNorm, score.stderrNorm)

/** Scores of the model, beside those of its base where they were taken; null where there are none. */
export function scoresTable(scores: Scores | null, dense: Scores | null): string | null {
  if (!scores) return null
  const rows: [name: string, of: (scores: Scores) => string | undefined][] = []
  for (const name of Object.keys(scores.tasks)) {
    const title = titleOfTask(name)
    rows.push([`${title}, acc`, ({ tasks }) => tasks[name] && percent(tasks[name].acc, tasks[name].stderr)])
    if (scores.tasks[name]!.accNorm !== undefined)
      rows.push([`${title}, acc_norm`, ({ tasks }) => normText(tasks[name])])
    if (scores.tasks[name]!.perplexity !== undefined)
      rows.push([`${title}, perplexity`, ({ tasks }) => tasks[name]?.perplexity?.toFixed(3)])
  }
  for (const [name, { window }] of Object.entries(scores.perplexity))
    rows.push([
      `perplexity of ${name.replaceAll(/[|\r\n]/g, ' ')}, windows of ${window} tokens`,
      ({ perplexity }) => perplexity[name]?.value.toFixed(3),
    ])
  if (scores.classification) {
    rows.push(['top-1', ({ classification: of }) => of && percent(of.top1, of.stderr)])
    rows.push(['top-5', ({ classification: of }) => of && percent(of.top5, null)])
  }
  if (rows.length === 0) return null
  const head = ['', ...(dense ? ['base'] : []), 'this model']
  return table([head, ...rows.map(([name, of]) => [name, ...(dense ? [of(dense) ?? ''] : []), of(scores) ?? ''])])
}
