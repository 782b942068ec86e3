import { floatText, isFloat, isInteger, isList, isMapping, isNone, isText, kindOf, type Value } from './values.ts'

export interface JsonSettings {
  indent: number | null
  separators: [string, string] | null
  ascii: boolean
  sorted: boolean
}

/** Python's `json.dumps`, as transformers gives it to templates. @throws TypeError for what JSON cannot say */
export function json(value: Value, settings: JsonSettings, depth = 1): string {
  if (isText(value)) return quoted(value.value, settings.ascii)
  if (isFloat(value)) return floatText(value.value as number)
  if (isNone(value)) return 'null'
  if (isInteger(value)) return String(value.value)
  const { indent, separators } = settings
  const [between, colon] = separators ?? [indent === null ? ', ' : ',', ': ']
  const inside = (one: Value) => json(one, settings, depth + 1)
  const enclosed = (open: string, parts: readonly string[], close: string) => {
    if (parts.length === 0 || indent === null) return open + parts.join(between) + close
    const line = (levels: number) => `\n${' '.repeat(indent * levels)}`
    return open + line(depth) + parts.join(between + line(depth)) + line(depth - 1) + close
  }
  if (isList(value)) return enclosed('[', value.value.map(inside), ']')
  if (!isMapping(value)) throw new TypeError(`Object of type ${kindOf(value)} is not JSON serializable`)
  const entries = [...value.value]
  if (settings.sorted) entries.sort(([one], [other]) => (one < other ? -1 : 1))
  const parts = entries.map(([key, one]) => quoted(key, settings.ascii) + colon + inside(one))
  return enclosed('{', parts, '}')
}

function quoted(value: string, ascii: boolean): string {
  const written = JSON.stringify(value)
  if (!ascii) return written
  return written.replaceAll(/[\x7f-\uffff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
