import { basename } from 'node:path'
import { badFile, SecateurError } from '../shared/errors.ts'
import { parseRow, splitJson } from './json-values.ts'
import { decodeUtf8, defaultRowLimit, headOf, type Line, readBytes, splitLines } from './lines.ts'
import { readParquet } from './parquet.ts'

/** One row of a data file: named fields with plain JSON values. */
export type Row = Record<string, unknown>

export interface RowOptions {
  /**
   * What one row of a text file is, as `text`: a line (default; blank lines are rows too), a run of lines between blank
   * ones, or the whole file.
   */
  textUnit?: 'line' | 'paragraph' | 'document'
  /** Longest row in bytes (default 64 MiB). */
  rowLimit?: number
  /** Hears of a line that holds no JSON object, which is then left out; by default it ends the reading. */
  onBadRow?: (error: SecateurError) => void
  signal?: AbortSignal
}

export type RowFormat = 'lines of JSON' | 'JSON' | 'Parquet' | 'text'

/**
 * Rows of a data file, in file order, one (Parquet: one row group) in memory at a time:
 * - `.jsonl`, `.ndjson`: one JSON object a line; blank lines are skipped
 * - `.json`: an array of objects, or objects one after the other
 * - Parquet, known by its first bytes
 * - `.txt` and everything else: text, rows `{ text }`, line endings removed, everything else as it stands
 *
 * A gzip file is unpacked while it is read; a byte order mark is skipped; LF and CRLF both end a line.
 * Errors name the file and the line (and column) or row group, and what is wrong there.
 */
export async function* readRows(file: string, options: RowOptions = {}): AsyncGenerator<Row> {
  const { rowLimit = defaultRowLimit, signal } = options
  const format = await formatOf(file)
  if (format === 'Parquet') yield* readParquet(file, { signal })
  else if (format === 'JSON') yield* splitJson(readBytes(file, signal), file, rowLimit)
  else if (format === 'lines of JSON') {
    for await (const line of splitLines(readBytes(file, signal), file, rowLimit)) {
      const row = line.text.trim() === '' ? null : parseOrTell(line, file, options.onBadRow)
      if (row) yield row
    }
  } else yield* readText(file, options)
}

function parseOrTell({ text, number }: Line, file: string, onBadRow: RowOptions['onBadRow']): Row | null {
  try {
    return parseRow(text, file, number)
  } catch (error) {
    if (!onBadRow || !(error instanceof SecateurError)) throw error
    onBadRow(error)
    return null
  }
}

/** Format of a data file, by its first bytes and its name. */
export async function formatOf(file: string): Promise<RowFormat> {
  const magic = await headOf(file, 4)
  if (magic.toString('latin1') === 'PAR1') return 'Parquet'
  const extension = /\.([a-z0-9]+)(?:\.gz)?$/.exec(basename(file).toLowerCase())?.[1] ?? ''
  if (extension === 'parquet') {
    throw badFile(file, undefined, 'is named .parquet but does not start as a Parquet file does (PAR1)')
  }
  if (unreadable.has(extension)) {
    throw badFile(file, undefined, `.${extension} files are not read; give JSON lines, JSON, Parquet or plain text`)
  }
  if (extension === 'json') return 'JSON'
  if (extension !== 'jsonl' && extension !== 'ndjson') return 'text'
  for await (const bytes of readBytes(file)) {
    if (bytes.toString('latin1', 0, 4096).trimStart().startsWith('[')) return 'JSON'
    break
  }
  return 'lines of JSON'
}

const unreadable = new Set([
  'csv',
  'tsv',
  'xls',
  'xlsx',
  'zip',
  'tar',
  'tgz',
  'zst',
  'xz',
  'bz2',
  '7z',
  'arrow',
  'pdf',
  'docx',
])

async function* readText(file: string, options: RowOptions): AsyncGenerator<Row> {
  const { textUnit = 'line', rowLimit = defaultRowLimit, signal } = options
  if (textUnit === 'document') {
    yield { text: await wholeText(file, rowLimit, signal) }
    return
  }
  let paragraph: string[] = []
  for await (const { text } of splitLines(readBytes(file, signal), file, rowLimit)) {
    if (textUnit === 'line') yield { text }
    else if (text.trim() !== '') paragraph.push(text)
    else if (paragraph.length > 0) {
      yield { text: paragraph.join('\n') }
      paragraph = []
    }
  }
  if (paragraph.length > 0) yield { text: paragraph.join('\n') }
}

async function wholeText(file: string, limit: number, signal: AbortSignal | undefined): Promise<string> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of readBytes(file, signal)) {
    size += piece.length
    if (size > limit) throw badFile(file, undefined, `is longer than ${limit} bytes; read it by line or by paragraph`)
    pieces.push(piece)
  }
  return decodeUtf8(Buffer.concat(pieces), file, 'text').replaceAll('\r\n', '\n')
}
