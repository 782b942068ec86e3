import { badFile } from '../shared/errors.ts'
import { onText } from '../shared/interruptible.ts'

/**
 * The object that a JSON text stands for. `line` and `column` (from 1) are where the text starts in the file; an error
 * names the place of the first wrong character.
 */
export function parseRow(text: string, file: string, line: number, column = 1): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    const wrong = onText(text.length, () => firstWrongCharacter(text))
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
