import { badFile } from '../shared/errors.ts'
import { decodeUtf8, defaultRowLimit, readBytes } from './lines.ts'

export interface CsvRow {
  cells: string[]
  /** Of the row's first character, from 1. */
  line: number
}

/**
 * Rows of a file of comma-separated values as RFC 4180 writes them, without a header: cells in double quotes may hold
 * commas, line breaks and doubled quotes. Blank lines are no rows.
 *
 * @throws SecateurError that names the file and the line
 */
export async function readCsv(file: string, signal?: AbortSignal, limit = defaultRowLimit): Promise<CsvRow[]> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of readBytes(file, signal)) {
    size += piece.length
    if (size > limit) throw badFile(file, undefined, `is longer than ${limit} bytes; split it`)
    pieces.push(piece)
  }
  return parseCsv(decodeUtf8(Buffer.concat(pieces), file, 'text'), file)
}

function parseCsv(text: string, file: string): CsvRow[] {
  const rows: CsvRow[] = []
  let [at, line] = [0, 1]
  let row: CsvRow = { cells: [], line }
  while (at < text.length || row.cells.length > 0) {
    const isQuoted = text[at] === '"'
    const end = isQuoted ? closingQuote(text, at) + 1 : plainEnd(text, at)
    const next = end > 0 ? text[end] : 'nothing closes it'
    if (next !== undefined && !',\r\n'.includes(next))
      throw badFile(file, `line ${line}`, 'holds a quote that is not closed, or text after a closing quote')
    const whole = text.slice(at, end)
    row.cells.push(isQuoted ? whole.slice(1, -1).replaceAll('""', '"') : whole)
    line += whole.split(/\r\n|\n|\r/).length - 1
    at = end + (next === '\r' && text[end + 1] === '\n' ? 2 : 1)
    if (next === ',') continue
    line++
    if (row.cells.length > 1 || row.cells[0] !== '') rows.push(row)
    row = { cells: [], line }
  }
  return rows
}

/** Where the quotes close that open at `at`; doubled ones stand for one. -1 where they do not. */
function closingQuote(text: string, at: number): number {
  let quote = text.indexOf('"', at + 1)
  while (quote >= 0 && text[quote + 1] === '"') quote = text.indexOf('"', quote + 2)
  return quote
}

/** Where a cell without quotes ends. */
function plainEnd(text: string, at: number): number {
  let end = at
  while (end < text.length && !',\r\n'.includes(text[end]!)) end++
  return end
}
