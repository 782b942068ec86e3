/** What Python's `str.isspace` accepts; JavaScript's `trim` knows U+FEFF besides and lacks U+001C to U+001F and U+0085. */
const space = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+'
const leading = new RegExp(`^${space}`)
const trailing = new RegExp(`${space}$`)

/** Python's `str.strip()`. */
export const strip = (text: string): string => stripEnd(text.replace(leading, ''))

/** Python's `str.rstrip()`. */
export const stripEnd = (text: string): string => text.replace(trailing, '')

/**
 * Python's `str.capitalize()`: the first character in upper case, all others in lower case (Georgian and some
 * digraphs excepted, whose title case differs from their upper case).
 */
export function capitalize(text: string): string {
  const [first = ''] = text
  const [initial = '', ...expansion] = first.toUpperCase()
  return initial + (expansion.join('') + text.slice(first.length)).toLowerCase()
}

/** Python's `len` of a string: Unicode code points, where JavaScript's `length` counts UTF-16 units. */
export function lengthInCodePoints(text: string): number {
  let length = 0
  for (const _ of text) length++
  return length
}
