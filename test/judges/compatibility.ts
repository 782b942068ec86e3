import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { z } from 'zod'
import { fixtureModel, type FixtureName } from '../fixtures/read.ts'
import type { Verdict, Verdicts } from './verdicts.ts'

const page = join(import.meta.dirname, '../../docs/compatibility.md')
const architectures = z.object({ architectures: z.tuple([z.string()]) })

/** Writes docs/compatibility.md: what was loaded by what, and how far it differed. */
export async function writeCompatibility(checkpoints: Verdicts, adapters: Verdicts): Promise<void> {
  const versions = Object.entries({ ...checkpoints.versions, ...adapters.versions })
  const text = `# What other programs make of Secateur's files

\`npm run judge\` writes this page. It prunes, fine-tunes and merges the tests' small random models with Secateur's own
command line, loads every file with the programs below, and compares what they compute. The judges compute in float64;
Secateur computes in float32, so that differences of some 1e-5 are rounding.

Judges: ${versions.map(([name, version]) => `${name} ${version}`).join(', ')}.

## Checkpoints, loaded by transformers

Worst difference of the logits of each checkpoint; then, of the merged and the pruned float32 ones, the relative difference
of perplexity, and whether greedy continuations are the same, token by token.

${byModel(checkpoints.verdicts, checkpointCells)}

## Adapters, loaded by PEFT

Each adapter is loaded onto its base model, by PEFT and by Secateur. Gradients are those of the mean loss with respect to
every A and B.

${byModel(adapters.verdicts, adapterCells)}

## What they do not load

- Layers of different sizes (\`--no-uniform\`, \`--ranking global\`): transformers reads their \`per_layer_config\`, but does
  not build layers from it. [checkpoint-format.md](checkpoint-format.md) has the lines that do.
- Llama and Gemma 3 whose hidden size is no multiple of the heads that are left (3 of 4 heads at a hidden size of 32, for
  example): transformers 5 refuses the configuration, though \`head_dim\` says how large a head is.
`
  const options = await resolveConfig(page)
  writeFileSync(page, await format(text, { ...options, filepath: page }))
}

/** A table with a row for each model, of cells with a title each. */
function byModel(
  verdicts: readonly Verdict[],
  cellsOf: (ofModel: readonly Verdict[]) => Record<string, string>,
): string {
  const rows = [...Map.groupBy(verdicts, ({ model }) => model)].map(([model, ofModel]) => ({
    model,
    class: classOf(model),
    ...cellsOf(ofModel),
  }))
  // Some models have a cell more than others.
  const titles = rows.map((row) => Object.keys(row)).reduce((most, keys) => (keys.length > most.length ? keys : most))
  const cells = rows.map((row: Record<string, string>) => titles.map((title) => row[title] ?? ''))
  const lines = [titles, titles.map(() => '---'), ...cells]
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n')
}

function checkpointCells(verdicts: readonly Verdict[]): Record<string, string> {
  const scored = verdicts.filter(({ greedy }) => greedy !== undefined)
  return {
    ...Object.fromEntries(verdicts.map(({ what, logits, error }) => [what, error ?? difference(logits)])),
    perplexity: difference(Math.max(...scored.map(({ perplexity }) => perplexity ?? Infinity))),
    greedy: scored.every(({ greedy }) => greedy) ? 'equal' : 'DIFFERS',
  }
}

const adapterCells = (verdicts: readonly Verdict[]): Record<string, string> =>
  Object.fromEntries(
    verdicts.flatMap(({ what, logits, gradients, error }) => [
      [`${what}: logits`, error ?? difference(logits)],
      [`${what}: gradients`, difference(gradients)],
    ]),
  )

const difference = (value: number | undefined) => (value === undefined ? '' : value.toExponential(0))

/** The class of transformers that a model belongs to. */
function classOf(model: string): string {
  const config: unknown = JSON.parse(readFileSync(join(fixtureModel(model as FixtureName), 'config.json'), 'utf8'))
  return architectures.parse(config).architectures[0]
}
