import {
  boolean,
  integer,
  isInteger,
  isNone,
  isText,
  itemsOf,
  kindOf,
  list,
  method,
  text,
  type Value,
} from './values.ts'

/** What Python's `str.isspace` says yes to. */
const space = '\\t\\n\\v\\f\\r\\x1c-\\x1f \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'
const spaceAtStart = new RegExp(`^[${space}]+`, 'u')
const spaceAtEnd = new RegExp(`[${space}]+$`, 'u')
const spaces = new RegExp(`[${space}]+`, 'gu')
const lineEnds = '\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029'
const lines = new RegExp(`\\r\\n|[${lineEnds}]`, 'gu')

/** Python's `str.strip`: white space, or any of `characters`, at one end or both. */
export function strip(value: string, characters: string | null, ends: 'both' | 'left' | 'right' = 'both'): string {
  if (characters === null) {
    const left = ends === 'right' ? value : value.replace(spaceAtStart, '')
    return ends === 'left' ? left : left.replace(spaceAtEnd, '')
  }
  const all = Array.from(value)
  const gone = new Set(characters)
  let [from, to] = [0, all.length]
  if (ends !== 'right') while (from < to && gone.has(all[from]!)) from++
  if (ends !== 'left') while (to > from && gone.has(all[to - 1]!)) to--
  return all.slice(from, to).join('')
}

/** Python's `str.capitalize` and `str.title`: what is not the first letter of a text, or of a word, becomes lower case. */
export const capitalize = (value: string): string => {
  const [first = '', ...rest] = value
  return first.toUpperCase() + rest.join('').toLowerCase()
}
const title = (value: string) => value.replaceAll(/\p{L}+/gu, capitalize)

/** Python's `str.replace`. */
export function replace(value: string, old: string, by: string, count: number): string {
  const pieces = old === '' ? ['', ...value, ''] : value.split(old)
  if (count < 0 || pieces.length - 1 <= count) return pieces.join(by)
  const changed = pieces.slice(0, count + 1).join(by)
  return [changed, ...pieces.slice(count + 1)].join(old)
}

function split(value: string, separator: string | null, most: number, fromEnd: boolean): string[] {
  if (separator === '') throw new TypeError('empty separator')
  if (separator !== null) {
    const pieces = value.split(separator)
    if (most < 0 || pieces.length <= most + 1) return pieces
    if (fromEnd)
      return [pieces.slice(0, -most || undefined).join(separator), ...(most === 0 ? [] : pieces.slice(-most))]
    return [...pieces.slice(0, most), pieces.slice(most).join(separator)]
  }
  const found = [...strip(value, null).matchAll(spaces)]
  const cuts =
    most < 0 ? found : fromEnd ? found.slice(found.length - Math.min(most, found.length)) : found.slice(0, most)
  // Only the end where no more is cut keeps its spaces.
  const whole = cuts.length === found.length ? strip(value, null) : strip(value, null, fromEnd ? 'right' : 'left')
  const offset = fromEnd && whole.length !== strip(value, null).length ? whole.length - strip(value, null).length : 0
  const pieces: string[] = []
  let from = 0
  for (const { index, 0: gap } of cuts) {
    pieces.push(whole.slice(from, index + offset))
    from = index + offset + gap.length
  }
  pieces.push(whole.slice(from))
  return pieces.length === 1 && pieces[0] === '' ? [] : pieces
}

function splitLines(value: string, keepEnds: boolean): string[] {
  const pieces: string[] = []
  let from = 0
  for (const { index, 0: end } of value.matchAll(lines)) {
    pieces.push(value.slice(from, keepEnds ? index + end.length : index))
    from = index + end.length
  }
  if (from < value.length) pieces.push(value.slice(from))
  return pieces
}

const cased = /\p{Lu}|\p{Ll}|\p{Lt}/u
export const isLower = (value: string) => cased.test(value) && value === value.toLowerCase()
export const isUpper = (value: string) => cased.test(value) && value === value.toUpperCase()

const need = (value: Value | undefined, what: string): string => {
  if (value && isText(value)) return value.value
  throw new TypeError(`${what} must be str, not ${value ? kindOf(value) : 'left out'}`)
}
const orNull = (value: Value | undefined, what: string) => (!value || isNone(value) ? null : need(value, what))
const numberOr = (value: Value | undefined, otherwise: number) =>
  value && isInteger(value) ? Number(value.value) : otherwise

type Call = (own: string, args: Value[], named: ReadonlyMap<string, Value>) => Value
const ofAll =
  (pattern: RegExp): Call =>
  (own) =>
    boolean(pattern.test(own))
const stripping =
  (ends: 'both' | 'left' | 'right'): Call =>
  (own, [characters]) =>
    text(strip(own, orNull(characters, 'strip arg'), ends))
const splitting =
  (fromEnd: boolean): Call =>
  (own, args, named) =>
    list(
      split(
        own,
        orNull(args[0] ?? named.get('sep'), 'sep'),
        numberOr(args[1] ?? named.get('maxsplit'), -1),
        fromEnd,
      ).map(text),
    )
const meets =
  (test: (own: string, part: string) => boolean): Call =>
  (own, [parts]) =>
    boolean(
      parts && !isText(parts)
        ? itemsOf(parts).some((part) => test(own, need(part, 'an element')))
        : test(own, need(parts, 'first arg')),
    )
const finding =
  (last: boolean, required: boolean): Call =>
  (own, [part]) => {
    const at = last ? own.lastIndexOf(need(part, 'first arg')) : own.indexOf(need(part, 'first arg'))
    if (at < 0 && required) throw new RangeError('substring not found')
    return integer(at < 0 ? at : Array.from(own.slice(0, at)).length)
  }
const parting =
  (last: boolean): Call =>
  (own, [separator]) => {
    const by = need(separator, 'sep')
    const at = last ? own.lastIndexOf(by) : own.indexOf(by)
    const parts = at >= 0 ? [own.slice(0, at), by, own.slice(at + by.length)] : last ? ['', '', own] : [own, '', '']
    return list(parts.map(text))
  }

/** Methods of Python's str. Others are undefined, so that calling one is an error. */
const methods: Record<string, Call> = {
  upper: (own) => text(own.toUpperCase()),
  lower: (own) => text(own.toLowerCase()),
  casefold: (own) => text(own.toLowerCase()),
  title: (own) => text(title(own)),
  capitalize: (own) => text(capitalize(own)),
  strip: stripping('both'),
  lstrip: stripping('left'),
  rstrip: stripping('right'),
  split: splitting(false),
  rsplit: splitting(true),
  splitlines: (own, [keep], named) => list(splitLines(own, Boolean((keep ?? named.get('keepends'))?.value)).map(text)),
  startswith: meets((own, part) => own.startsWith(part)),
  endswith: meets((own, part) => own.endsWith(part)),
  removeprefix: (own, [part]) =>
    text(own.startsWith(need(part, 'prefix')) ? own.slice(need(part, 'prefix').length) : own),
  removesuffix: (own, [part]) =>
    text(own.endsWith(need(part, 'suffix')) ? own.slice(0, own.length - need(part, 'suffix').length) : own),
  replace: (own, [old, by, count], named) =>
    text(replace(own, need(old, 'old'), need(by, 'new'), numberOr(count ?? named.get('count'), -1))),
  find: finding(false, false),
  rfind: finding(true, false),
  index: finding(false, true),
  rindex: finding(true, true),
  count: (own, [part]) =>
    integer(need(part, 'sub') === '' ? Array.from(own).length + 1 : own.split(need(part, 'sub')).length - 1),
  join: (own, [parts]) =>
    text(
      itemsOf(parts ?? list([]))
        .map((part) => need(part, 'an element'))
        .join(own),
    ),
  partition: parting(false),
  rpartition: parting(true),
  isdigit: ofAll(/^\p{Nd}+$/u),
  isalpha: ofAll(/^\p{L}+$/u),
  isalnum: ofAll(/^[\p{L}\p{N}]+$/u),
  isspace: ofAll(new RegExp(`^[${space}]+$`, 'u')),
  isupper: (own) => boolean(isUpper(own)),
  islower: (own) => boolean(isLower(own)),
}

/** A method of a text; undefined where Python's str has none of that name, or none that templates use. */
export function textMethod(own: string, name: string): Value | undefined {
  if (!Object.hasOwn(methods, name)) return undefined
  return method((args, named) => methods[name]!(own, args, named))
}
