import { badFile, type SecateurError } from '../shared/errors.ts'
import { parseRow } from './json-values.ts'
import { decodeUtf8, defaultRowLimit } from './lines.ts'

const [quote, backslash, comma, newline] = [34, 92, 44, 10]
const [openBrace, closeBrace, openBracket, closeBracket] = [123, 125, 91, 93]
/** Braces and brackets within each other, where a bad row may be left out: what is deeper is a bad row. */
const deepest = 10_000

export interface JsonRow {
  row: Record<string, unknown>
  /** Where it starts, counting from 1. */
  line: number
}

export interface JsonOptions {
  /** Longest row in bytes. */
  limit?: number | undefined
  /** Hears of a row that is no JSON object, which is then left out; by default it ends the reading. */
  onBadRow?: ((error: SecateurError) => void) | undefined
}

/**
 * The objects of a JSON document: of one array of objects, or of objects one after the other (pretty-printed or one a
 * line). One object is held at a time, so that a file of any size is read in the memory of its largest row.
 *
 * Where a bad row does not say where it ends (a quotation mark or a bracket is missing), the next row is the next line that
 * begins with a brace no further to the right than the bad row did.
 *
 * @throws SecateurError with file, line and column: broken JSON, a row that is no object, an object over `limit` bytes, a
 *   file cut short; with `onBadRow` only what leaves the rest of the file unread
 */
export async function* splitJson(
  bytes: AsyncIterable<Buffer>,
  file: string,
  options: JsonOptions = {},
): AsyncGenerator<JsonRow> {
  const scanner = new Scanner(file, options)
  for await (const chunk of bytes) yield* scanner.read(chunk)
  scanner.end()
}

class Scanner {
  readonly #file: string
  readonly #limit: number
  readonly #onBadRow: JsonOptions['onBadRow']
  #shape: 'unknown' | 'array' | 'sequence' | 'closed' = 'unknown'
  #afterRow = false
  #inString = false
  #escaped = false
  #depth = 0
  /** The braces and brackets that are open, where bad rows are left out. */
  readonly #open: number[] = []
  /** Whether the row is bad already, and only its end is looked for. */
  #isBad = false
  /** Blanks at the start of the line, while the next row is looked for; -1 behind them, null in a row or between two. */
  #seeking: number | null = null
  #held: Buffer[] = []
  #heldBytes = 0
  #line = 1
  /** Bytes of the file before the current chunk, and at the start of the current line: for columns. */
  #before = 0
  #lineStart = 0
  #rowLine = 1
  #rowColumn = 1

  constructor(file: string, { limit = defaultRowLimit, onBadRow }: JsonOptions) {
    this.#file = file
    this.#limit = limit
    this.#onBadRow = onBadRow
  }

  *read(chunk: Buffer): Generator<JsonRow> {
    let start = 0
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index]!
      if (byte === newline) this.#endLine(index)
      else if (this.#seeking !== null) {
        if (this.#seek(byte, index)) start = index
      } else if (this.#inString) this.#readString(byte)
      else if (this.#depth === 0) {
        if (byte === 32 || byte === 9 || byte === 13) continue
        this.#betweenRows(byte, index)
        start = index
      } else if (byte === quote) this.#inString = true
      else if (byte === openBrace || byte === openBracket) this.#enter(byte, index)
      else if ((byte === closeBrace || byte === closeBracket) && this.#leaves(byte, index)) {
        this.#afterRow = true
        const row = this.#endRow(chunk.subarray(start, index + 1))
        if (row) yield row
      }
    }
    if (this.#depth > 0) this.#hold(chunk.subarray(start))
    this.#before += chunk.length
  }

  end(): void {
    const row = `line ${this.#rowLine}, column ${this.#rowColumn}`
    if (this.#depth > 0) throw badFile(this.#file, row, 'the file ends within this row')
    if (this.#seeking !== null) throw badFile(this.#file, row, 'it cannot be told where the row after this one starts')
    if (this.#shape === 'array')
      throw badFile(this.#file, `line ${this.#line}`, 'the file ends before the JSON array does')
  }

  #endLine(index: number): void {
    if (this.#inString) this.#lose(this.#at(index, 'a line ends within a string; is a quotation mark missing?'))
    if (this.#depth === 0) this.#isBad = false
    this.#line++
    this.#lineStart = this.#before + index + 1
    if (this.#seeking !== null) this.#seeking = 0
  }

  /** Whether the next row starts here, after a bad one whose end is not known. */
  #seek(byte: number, index: number): boolean {
    const blanks = this.#seeking!
    if (blanks < 0) return false
    const isNext = byte === openBrace && blanks < this.#rowColumn
    const isEnd = byte === closeBracket && blanks < this.#rowColumn && this.#shape === 'array'
    this.#seeking = isNext || isEnd ? null : byte === 32 || byte === 9 ? blanks + 1 : -1
    this.#afterRow = false
    if (isNext || isEnd) this.#betweenRows(byte, index)
    return isNext
  }

  #readString(byte: number): void {
    if (this.#escaped) this.#escaped = false
    else if (byte === backslash) this.#escaped = true
    else if (byte === quote) this.#inString = false
  }

  #betweenRows(byte: number, index: number): void {
    const mayRecover = this.#onBadRow !== undefined && this.#shape !== 'unknown' && this.#shape !== 'closed'
    if (byte === openBrace && this.#shape !== 'closed') {
      if (this.#shape === 'unknown') this.#shape = 'sequence'
      if (this.#shape === 'array' && this.#afterRow && !mayRecover)
        throw this.#at(index, 'a comma is missing between two rows')
      this.#startRow(byte, index)
    } else if (byte === openBracket && this.#shape === 'unknown') this.#shape = 'array'
    else if (byte === closeBracket && this.#shape === 'array') this.#shape = 'closed'
    else if (byte === comma && this.#shape === 'array' && this.#afterRow) this.#afterRow = false
    else if (this.#shape === 'closed') throw this.#at(index, 'something follows the end of the JSON array')
    else {
      const error = this.#at(
        index,
        `"${String.fromCharCode(byte)}" found where a row, an object in braces, should start`,
      )
      if (!mayRecover) throw error
      // Of a number or a word the first character is told, and the others are passed over.
      if (!this.#isBad) this.#onBadRow!(error)
      if (byte === openBracket) this.#startRow(byte, index)
      if (byte === quote) this.#inString = true
      this.#isBad = byte !== comma
      this.#afterRow = byte !== comma
      return
    }
    this.#isBad = false
  }

  #startRow(byte: number, index: number): void {
    this.#open.length = 0
    this.#enter(byte, index)
    this.#rowLine = this.#line
    this.#rowColumn = this.#columnOf(index)
  }

  #enter(byte: number, index: number): void {
    this.#depth++
    if (this.#onBadRow) this.#open.push(byte)
    if (this.#open.length > deepest) this.#lose(this.#at(index, 'is nested too deeply'))
  }

  /** Whether the row ends with this brace or bracket. */
  #leaves(byte: number, index: number): boolean {
    if (this.#onBadRow && this.#open.pop() !== (byte === closeBrace ? openBrace : openBracket)) {
      this.#lose(this.#at(index, `"${String.fromCharCode(byte)}" closes what is not open`))
      return false
    }
    return --this.#depth === 0
  }

  #hold(piece: Buffer): void {
    if (this.#isBad) return
    this.#held.push(piece)
    this.#heldBytes += piece.length
    if (this.#heldBytes <= this.#limit) return
    const place = `line ${this.#rowLine}, column ${this.#rowColumn}`
    const error = badFile(this.#file, place, `the row that starts here is over ${this.#limit} bytes`)
    if (!this.#onBadRow) throw error
    this.#onBadRow(error)
    this.#isBad = true
    this.#drop()
  }

  #endRow(piece: Buffer): JsonRow | null {
    const whole = this.#held.length === 0 ? piece : Buffer.concat([...this.#held, piece])
    this.#drop()
    if (this.#isBad) {
      this.#isBad = false
      return null
    }
    const line = this.#rowLine
    try {
      return { row: parseRow(decodeUtf8(whole, this.#file, `line ${line}`), this.#file, line, this.#rowColumn), line }
    } catch (error) {
      if (!this.#onBadRow) throw error
      this.#onBadRow(error as SecateurError)
      return null
    }
  }

  /** Gives a row up whose end is not known. */
  #lose(error: SecateurError): void {
    if (!this.#onBadRow) throw error
    if (!this.#isBad) this.#onBadRow(error)
    this.#isBad = false
    this.#inString = false
    this.#escaped = false
    this.#depth = 0
    this.#seeking = -1
    this.#drop()
  }

  #drop(): void {
    this.#held = []
    this.#heldBytes = 0
  }

  #columnOf(index: number): number {
    return this.#before + index - this.#lineStart + 1
  }

  #at(index: number, message: string): SecateurError {
    return badFile(this.#file, `line ${this.#line}, column ${this.#columnOf(index)}`, message)
  }
}
