import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format } from 'oxfmt'
import type { Finding } from './judge.ts'

export const page = join(import.meta.dirname, '../../docs/compatibility.md')

/** What became of a judge: what it found, why it could not judge, or that it was not asked. */
export interface Outcome {
  title: string
  found: Finding | { without: string } | 'not asked'
}

const head = `# What other programs make of Secateur's files

\`npm run judge\` writes this page. Each section is the finding of one judge: a program that loads what Secateur writes, or
does what Secateur does on the same files, and must compute the same. A section says when that was; where its judge could not
run since then, it says why.
`

const tail = `## What they do not load

- Layers of different sizes (\`--no-uniform\`, \`--ranking global\`): transformers reads their \`per_layer_config\`, but does
  not build layers from it. [checkpoint-format.md](checkpoint-format.md) has the lines that do.
- Llama and Gemma 3 whose hidden size is no multiple of the heads that are left (3 of 4 heads at a hidden size of 32, for
  example): transformers 5 refuses the configuration, though \`head_dim\` says how large a head is.
`

/** The line under a heading: when and by what a section was judged, perhaps after why it was not judged again. */
const judged = /^_(?:Not judged on [-\d]+ \([^\n]*\)\. )?(Judged on [^\n]*)_$/

/** Writes docs/compatibility.md in one go. Sections of judges that did not run keep what the page says of them. */
export async function writePage(outcomes: readonly Outcome[], today: string): Promise<void> {
  const before = sectionsOf(readFileSync(page, 'utf8'))
  const sections = outcomes.map(({ title, found }) => sectionOf(title, found, before.get(title), today))
  const { code, errors } = await format(page, [head, ...sections, tail].join('\n'), { printWidth: 120 })
  if (errors.length) throw new Error(`the page cannot be formatted: ${errors.map(({ message }) => message).join('; ')}`)
  writeFileSync(page, code)
}

/** Sections of a page by their heading: the line below it, and the text. */
export function sectionsOf(text: string): Map<string, { line: string; text: string }> {
  const sections = text.split(/^## /m).slice(1)
  return new Map(
    sections.map((section) => {
      const [title = '', ...lines] = section.trim().split('\n')
      const [line = '', ...rest] = lines.join('\n').trim().split('\n\n')
      return [title, { line: line.replaceAll('\n', ' '), text: rest.join('\n\n') }]
    }),
  )
}

/**
 * A section as it is written: of what was found now, or of what was found before and why that could not be judged again. What was
 * not asked for stays as it is.
 */
export function sectionOf(
  title: string,
  found: Outcome['found'],
  before: { line: string; text: string } | undefined,
  today: string,
): string {
  if (found === 'not asked')
    return before ? `## ${title}\n\n${before.line}\n\n${before.text}`.trimEnd() + '\n' : neverJudged(title, 'left out')
  if (!('without' in found)) {
    const versions = Object.entries(found.versions).map(([name, version]) => `${name} ${version}`)
    return `## ${title}\n\n_Judged on ${today}: ${versions.join(', ')}._\n\n${found.text}\n`
  }
  const earlier = before && judged.exec(before.line)?.[1]
  if (!before || !earlier) return neverJudged(title, found.without)
  return `## ${title}\n\n_Not judged on ${today} (${found.without}). ${earlier}_\n\n${before.text}\n`
}

const neverJudged = (title: string, why: string): string => `## ${title}\n\n_Never judged (${why})._\n`
