/** What a model card says to the Hub, in the order in which it is written; empty values are left out. */
export type FrontMatter = Record<string, string | readonly string[] | null>

/**
 * The lines between "---" at the top of a model card as far as a card needs them: text fields and lists of texts of the
 * first level. Everything else in it (nested results, anchors, block texts) is passed over.
 *
 * @returns no fields where the text has no such lines
 */
export function readFrontMatter(card: string): Map<string, string[]> {
  const fields = new Map<string, string[]>()
  const [, block] = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(card) ?? []
  let items: string[] | null = null
  for (const line of (block ?? '').split(/\r?\n/)) {
    const [, name, rest] = /^([A-Za-z_][\w-]*):(?:[ \t]+(.*))?$/.exec(line) ?? []
    if (name !== undefined) {
      items = []
      fields.set(name, items)
      const value = (rest ?? '').trim()
      const list = /^\[(.*)\]$/.exec(value)
      for (const part of list ? list[1]!.split(',') : [value]) push(items, part)
      continue
    }
    const [, item] = /^[ \t]*-[ \t]+(.*)$/.exec(line) ?? []
    if (item !== undefined && items) push(items, item)
    else if (line.trim() !== '' && !line.startsWith('#')) items = null
  }
  return fields
}

function push(items: string[], written: string): void {
  const text = unquoted(written.trim())
  if (text !== '' && text !== 'null' && text !== '~' && !/^[|>&*{]/.test(text)) items.push(text)
}

function unquoted(text: string): string {
  const [, inside] = /^"((?:[^"\\]|\\.)*)"/.exec(text) ?? /^'((?:[^']|'')*)'/.exec(text) ?? []
  if (inside !== undefined)
    return text.startsWith("'") ? inside.replaceAll("''", "'") : inside.replaceAll(/\\(.)/g, '$1')
  return text.replace(/[ \t]+#.*$/, '')
}

/** The same fields as text. Texts that YAML would read as something else are put in quotes. */
export function writeFrontMatter(fields: FrontMatter): string {
  const lines = Object.entries(fields).flatMap(([name, value]) => {
    if (value === null || value.length === 0) return []
    return typeof value === 'string'
      ? [`${name}: ${scalar(value)}`]
      : [`${name}:`, ...value.map((item) => `- ${scalar(item)}`)]
  })
  return ['---', ...lines, '---'].join('\n')
}

/** Words that YAML 1.1 reads as no text, Norway's code among them. */
const notText = /^(?:y|n|yes|no|on|off|true|false|null|~|[-+.\d].*)$/i
const scalar = (text: string): string =>
  /^[A-Za-z][\w./-]*$/.test(text) && !notText.test(text) ? text : JSON.stringify(text)
