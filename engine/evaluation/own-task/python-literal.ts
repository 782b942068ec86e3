const escapes: Record<string, string> = {
  n: '\n',
  r: '\r',
  t: '\t',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
}

/**
 * A list (or tuple) of texts as Python writes it, which is what a template of choices comes to: the part of
 * `ast.literal_eval` that such a list needs.
 *
 * @throws SyntaxError where it is another value, or none
 */
export function parseTexts(source: string): string[] {
  const list = source.trim()
  const closing = { '[': ']', '(': ')' }[list[0] ?? '']
  if (closing === undefined) throw new SyntaxError(`must come to a list of texts, not to ${shown(list)}`)
  const texts: string[] = []
  let at = skipBlanks(list, 1)
  while (list[at] !== closing) {
    const [text, end] = readText(list, at)
    texts.push(text)
    at = skipBlanks(list, end)
    if (list[at] === ',') at = skipBlanks(list, at + 1)
    else if (list[at] !== closing) throw new SyntaxError(`is no list of texts at ${shown(list.slice(at))}`)
  }
  if (at !== list.length - 1) throw new SyntaxError(`has something after its list: ${shown(list.slice(at + 1))}`)
  return texts
}

function readText(list: string, start: number): [text: string, end: number] {
  const quote = list[start]
  if (quote !== "'" && quote !== '"') throw new SyntaxError(`holds no text at ${shown(list.slice(start))}`)
  let text = ''
  let at = start + 1
  while (list[at] !== quote) {
    if (at >= list.length) throw new SyntaxError(`has a text that is not closed: ${shown(list.slice(start))}`)
    if (list[at] !== '\\') {
      text += list[at++]
      continue
    }
    const [character, length] = readEscape(list.slice(at + 1, at + 10))
    text += character
    at += 1 + length
  }
  return [text, at + 1]
}

function readEscape(rest: string): [character: string, length: number] {
  const hex = /^(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))/i.exec(rest)
  const code = hex && Number.parseInt(hex[1] ?? hex[2] ?? hex[3]!, 16)
  if (hex && code! <= 0x10ffff) return [String.fromCodePoint(code!), hex[0].length]
  const known = escapes[rest[0] ?? '']
  // Python leaves a backslash before any other character as it stands.
  return known === undefined ? ['\\', 0] : [known, 1]
}

function skipBlanks(list: string, from: number): number {
  let at = from
  while (/\s/.test(list[at] ?? '')) at++
  return at
}

const shown = (text: string) => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
