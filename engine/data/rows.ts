import { basename } from 'node:path'
import { badFile, SecateurError } from '../shared/errors.ts'
import { splitJson } from './json-rows.ts'
import { parseRow } from './json-values.ts'
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
  /**
   * Hears of a row that cannot be read, or of as many as a row group of a Parquet file has, which are then left out; by
   * default it ends the reading.
   */
  onBadRow?: (error: SecateurError, rows: number) => void
  /** Hears which fraction of the file is read. */
  onRead?: (fraction: number) => void
  signal?: AbortSignal
}

export interface PlacedRow {
  row: Row
  /** Where it stands in the file, counting from 1: "line 3", or "row 3" where rows have no line of their own. */
  place: string
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
  for await (const { row } of readPlacedRows(file, options)) yield row
}

/** The same with the place of each row. */
export async function* readPlacedRows(file: string, options: RowOptions = {}): AsyncGenerator<PlacedRow> {
  const { rowLimit: limit = defaultRowLimit, signal, onRead, onBadRow: tell } = options
  const onBadRow = tell && ((error: SecateurError) => tell(error, 1))
  const format = await formatOf(file)
  if (format === 'Parquet') {
    let number = 0
    const count = tell && ((error: SecateurError, rows: number) => tell(error, ((number += rows), rows)))
    for await (const row of readParquet(file, { signal, onRead, onBadRow: count }))
      yield { row, place: `row ${++number}` }
    return
  }
  const bytes = readBytes(file, signal, onRead)
  if (format === 'JSON') {
    for await (const { row, line } of splitJson(bytes, file, { limit, onBadRow })) yield { row, place: `line ${line}` }
  } else if (format === 'lines of JSON') {
    for await (const line of splitLines(bytes, file, { limit, onBadRow })) {
      const row = line.text.trim() === '' ? null : parseOrTell(line, file, onBadRow)
      if (row) yield { row, place: `line ${line.number}` }
    }
  } else yield* readText(file, options)
}

function parseOrTell(
  { text, number }: Line,
  file: string,
  onBadRow: ((error: SecateurError) => void) | undefined,
): Row | null {
  try {
    return parseRow(text, file, number)
  } catch (error) {
    if (!onBadRow || !(error instanceof SecateurError) || error.kind === 'interrupted') throw error
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

async function* readText(file: string, options: RowOptions): AsyncGenerator<PlacedRow> {
  const { textUnit = 'line', rowLimit: limit = defaultRowLimit, signal, onRead, onBadRow: tell } = options
  if (textUnit === 'document') {
    yield { row: { text: await wholeText(file, limit, signal) }, place: 'text' }
    return
  }
  const onBadRow = tell && ((error: SecateurError) => tell(error, 1))
  let paragraph: string[] = []
  let first = 1
  const whole = (): PlacedRow => ({ row: { text: paragraph.join('\n') }, place: `line ${first}` })
  for await (const { text, number } of splitLines(readBytes(file, signal, onRead), file, { limit, onBadRow })) {
    if (textUnit === 'line') yield { row: { text }, place: `line ${number}` }
    else if (text.trim() !== '') {
      if (paragraph.push(text) === 1) first = number
    } else if (paragraph.length > 0) {
      yield whole()
      paragraph = []
    }
  }
  if (paragraph.length > 0) yield whole()
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
