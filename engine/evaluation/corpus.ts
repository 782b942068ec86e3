import { basename } from 'node:path'
import { z } from 'zod'
import { formatOf, readPlacedRows } from '../data/rows.ts'
import { badFile } from '../shared/errors.ts'
import { strip } from './python-text.ts'

/**
 * How the rows of a text become the one text that is measured:
 * - `wikitext2`: a line keeps its leading space and its line ending, a blank line is an empty row; joined by "\n\n"
 * - `ptb`: lines stripped on both sides; joined by "\n\n"
 * - `text`: a text file as it stands but for its last line ending; the rows of other files joined by "\n\n"
 */
const corpusKind = z.enum(['wikitext2', 'ptb', 'text'])

export type CorpusKind = z.infer<typeof corpusKind>

/** The kind that a text is called by; none of a name of the user's own, whose kind is told from the file. */
export function corpusCalled(name: string): { corpus?: CorpusKind } {
  const { data } = corpusKind.safeParse(name)
  return data === undefined ? {} : { corpus: data }
}

export interface Corpus {
  kind: CorpusKind
  text: string
  /** What makes the figure incomparable with published ones. */
  warnings: string[]
}

/**
 * The text of a corpus file (`.raw`, `.tokens`, `.txt`, JSON lines, JSON or Parquet with the column `text` or `sentence`).
 * Without `kind` it is told by the column, the name (`ptb.…`) or headings like " = Robert Boulter = ". Errors: a file that
 * cannot be read, a row without text, no text at all.
 */
export async function readCorpus(file: string, kind?: CorpusKind, signal?: AbortSignal): Promise<Corpus> {
  const isText = (await formatOf(file)) === 'text'
  const rows = await readTexts(file, signal)
  const known = kind ?? guess(file, rows)
  const text = isText ? joinLines(rows.texts, known) : rows.texts.join('\n\n')
  if (text.trim() === '') throw badFile(file, undefined, 'holds no text')
  return { kind: known, text, warnings: known === 'wikitext2' ? unknownWords(rows.texts) : [] }
}

/** Far above any test split, and below what one string may hold. */
const longest = 2 ** 27

interface Rows {
  texts: string[]
  column: 'text' | 'sentence'
}

/** The rows' texts; those of a text file are its lines. */
async function readTexts(file: string, signal?: AbortSignal): Promise<Rows> {
  const texts: string[] = []
  let column: Rows['column'] | null = null
  let length = 0
  for await (const { row, place } of readPlacedRows(file, signal ? { signal } : {})) {
    column ??= 'sentence' in row && !('text' in row) ? 'sentence' : 'text'
    const text = row[column]
    if (typeof text !== 'string') throw badFile(file, `${place}, ${column}`, 'is missing or not a text')
    length += text.length
    if (length > longest) {
      throw badFile(file, undefined, `holds over ${longest} characters; measure perplexity on a shorter text`)
    }
    texts.push(text)
  }
  return { texts, column: column ?? 'text' }
}

function guess(file: string, { texts, column }: Rows): CorpusKind {
  if (column === 'sentence' || /^ptb\b|[-_.]ptb\b|penn[-_ ]?treebank/i.test(basename(file))) return 'ptb'
  return texts.slice(0, 200).some((text) => /^ = .+ = \n?$/.test(text)) ? 'wikitext2' : 'text'
}

function joinLines(lines: readonly string[], kind: CorpusKind): string {
  if (kind === 'text') return lines.join('\n')
  if (kind === 'ptb') return lines.map(strip).join('\n\n')
  return lines.map((line) => (strip(line) === '' ? '' : `${line}\n`)).join('\n\n')
}

function unknownWords(texts: readonly string[]): string[] {
  const rowsWith = texts.filter((text) => text.includes('<unk>')).length
  if (rowsWith <= texts.length / 100) return []
  return [
    'This is the word-level variant of WikiText-2, with rare words replaced by <unk>. Published perplexities are of the ' +
      'raw variant (wikitext-2-raw-v1, wiki.test.raw) and cannot be compared with this one.',
  ]
}
