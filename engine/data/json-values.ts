import { badFile } from '../shared/errors.ts'
import { decodeUtf8, defaultRowLimit } from './lines.ts'

const [quote, backslash, comma, newline] = [34, 92, 44, 10]
const [openBrace, closeBrace, openBracket, closeBracket] = [123, 125, 91, 93]

/**
 * The objects of a JSON document: of one array of objects, or of objects one after the other (pretty-printed or one a
 * line). One object is held at a time, so that a file of any size is read in the memory of its largest row.
 * Errors name file, line and column: broken JSON, a row that is no object, an object over `limit` bytes, a file cut short.
 */
export async function* splitJson(
  bytes: AsyncIterable<Buffer>,
  file: string,
  limit = defaultRowLimit,
): AsyncGenerator<Record<string, unknown>> {
  let shape = 'unknown' as 'unknown' | 'array' | 'sequence' | 'closed'
  let afterRow = false
  let depth = 0
  let inString = false
  let escaped = false
  let held: Buffer[] = []
  let heldBytes = 0
  let line = 1
  // Bytes of the file before the current chunk, and at the start of the current line: for columns.
  let before = 0
  let lineStart = 0
  let rowLine = 1
  let rowColumn = 1

  const column = (index: number) => before + index - lineStart + 1
  const fail = (index: number, message: string) => badFile(file, `line ${line}, column ${column(index)}`, message)

  const betweenRows = (byte: number, index: number) => {
    if (byte === openBrace && shape !== 'closed') {
      if (shape === 'unknown') shape = 'sequence'
      if (shape === 'array' && afterRow) throw fail(index, 'a comma is missing between two rows')
      depth = 1
      rowLine = line
      rowColumn = column(index)
    } else if (byte === openBracket && shape === 'unknown') shape = 'array'
    else if (byte === closeBracket && shape === 'array') shape = 'closed'
    else if (byte === comma && shape === 'array' && afterRow) afterRow = false
    else if (shape === 'closed') throw fail(index, 'something follows the end of the JSON array')
    else throw fail(index, `"${String.fromCharCode(byte)}" found where a row, an object in braces, should start`)
  }

  for await (const chunk of bytes) {
    let start = 0
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index]!
      if (byte === newline) {
        if (inString) throw fail(index, 'a line ends within a string; is a quotation mark missing?')
        line++
        lineStart = before + index + 1
      } else if (inString) {
        if (escaped) escaped = false
        else if (byte === backslash) escaped = true
        else if (byte === quote) inString = false
      } else if (depth === 0) {
        if (byte === 32 || byte === 9 || byte === 13) continue
        betweenRows(byte, index)
        start = index
      } else if (byte === quote) inString = true
      else if (byte === openBrace || byte === openBracket) depth++
      else if ((byte === closeBrace || byte === closeBracket) && --depth === 0) {
        const piece = chunk.subarray(start, index + 1)
        const whole = held.length === 0 ? piece : Buffer.concat([...held, piece])
        held = []
        heldBytes = 0
        afterRow = true
        yield parseRow(decodeUtf8(whole, file, `line ${rowLine}`), file, rowLine, rowColumn)
      }
    }
    if (depth > 0) {
      held.push(chunk.subarray(start))
      heldBytes += chunk.length - start
      if (heldBytes > limit) {
        throw badFile(file, `line ${rowLine}, column ${rowColumn}`, `the row that starts here is over ${limit} bytes`)
      }
    }
    before += chunk.length
  }
  if (depth > 0) throw badFile(file, `line ${rowLine}, column ${rowColumn}`, 'the file ends within this row')
  if (shape === 'array') throw badFile(file, `line ${line}`, 'the file ends before the JSON array does')
}

/**
 * The object that a JSON text stands for. `line` and `column` (from 1) are where the text starts in the file; an error
 * names the place of the first wrong character.
 */
export function parseRow(text: string, file: string, line: number, column = 1): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    const wrong = firstWrongCharacter(text)
    const lines = text.slice(0, wrong).split('\n')
    const last = lines.at(-1)!.length
    const place = `line ${line + lines.length - 1}, column ${lines.length === 1 ? column + last : last + 1}`
    const found =
      wrong < text.length
        ? `"${String.fromCodePoint(text.codePointAt(wrong)!)}" is not expected here`
        : 'ends too early'
    throw badFile(file, place, `is not valid JSON: ${found}`, cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badFile(file, `line ${line}`, `each row must be a JSON object with named fields, not ${kindOf(value)}`)
  }
  return value as Record<string, unknown>
}

const kindOf = (value: unknown) => (Array.isArray(value) ? 'a list' : value === null ? 'null' : `a ${typeof value}`)

/**
 * Index of the character at which a text stops being the start of any JSON; its length where it only ends too early.
 * JSON.parse tells the position of some errors only, but every prefix of valid JSON fails for ending too early, so that
 * the longest such prefix is found by bisection.
 */
function firstWrongCharacter(text: string): number {
  let [good, bad] = [0, text.length + 1]
  while (bad - good > 1) {
    const middle = (good + bad) >> 1
    if (canContinue(text.slice(0, middle))) good = middle
    else bad = middle
  }
  return good
}

function canContinue(prefix: string): boolean {
  try {
    JSON.parse(prefix)
    return true
  } catch (error) {
    const message = String(error)
    const position = /at position (\d+)/.exec(message)
    return position ? Number(position[1]) >= prefix.length : /Unexpected end|Unterminated/.test(message)
  }
}
