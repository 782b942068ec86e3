import { capitalize, replace, strip } from './strings.ts'
import { formatted } from './format.ts'
import { json } from './json.ts'
import {
  float,
  integer,
  isInteger,
  isList,
  isMissing,
  isNone,
  isNumeric,
  isText,
  isTrue,
  itemsOf,
  lengthOf,
  list,
  missing,
  str,
  text,
  type Value,
} from './values.ts'

type Filter = (value: Value, args: readonly Value[], named: ReadonlyMap<string, Value>) => Value | undefined

/** Words as Jinja's own filter of that name tells them apart, which is not as str.title does. */
const title = (value: string) =>
  value
    .split(/([-\s({[<]+)/u)
    .map(capitalize)
    .join('')

const truth = (value: Value | undefined) => value !== undefined && isTrue(value)

function whole(value: Value): number | null {
  if (isNumeric(value)) return Number.isFinite(Number(value.value)) ? Math.trunc(Number(value.value)) : null
  const number = isText(value) ? real(value) : null
  return number === null || !Number.isFinite(number) ? null : Math.trunc(number)
}

function real(value: Value): number | null {
  if (isNumeric(value)) return Number(value.value)
  if (!isText(value)) return null
  const written = strip(value.value, null).replaceAll(/(?<=\d)_(?=\d)/gu, '')
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/iu.test(written) ? Number(written) : null
}

/** Filters whose meaning in the library is another than Jinja's; undefined where the library is to be asked. */
const filters: Record<string, Filter> = {
  string: (value) => text(str(value)),
  trim: (value, args, named) => {
    const characters = args[0] ?? named.get('chars')
    return text(strip(str(value), characters && !isNone(characters) ? str(characters) : null))
  },
  length: (value) => integer(lengthOf(value)),
  count: (value) => integer(lengthOf(value)),
  upper: (value) => text(str(value).toUpperCase()),
  lower: (value) => text(str(value).toLowerCase()),
  capitalize: (value) => text(capitalize(str(value))),
  title: (value) => text(title(str(value))),
  replace: (value, [old, by, count], named) => {
    const times = count ?? named.get('count')
    if (!old || !by) return undefined
    return text(replace(str(value), str(old), str(by), times && isInteger(times) ? Number(times.value) : -1))
  },
  join: (value, args, named) => {
    if (args.length > 1 || named.has('attribute')) return undefined
    return text(
      itemsOf(value)
        .map(str)
        .join(str(args[0] ?? named.get('d') ?? text(''))),
    )
  },
  default: (value, args, named) => {
    const isWanted = isMissing(value) || (truth(args[1] ?? named.get('boolean')) && !truth(value))
    return isWanted ? (args[0] ?? named.get('default_value') ?? text('')) : value
  },
  first: (value) => itemsOf(value)[0] ?? missing(),
  last: (value) => itemsOf(value).at(-1) ?? missing(),
  list: (value) => list([...itemsOf(value)]),
  reverse: (value) =>
    isText(value)
      ? text(Array.from(value.value).toReversed().join(''))
      : isList(value)
        ? list(value.value.toReversed())
        : undefined,
  int: (value, args, named) => {
    const number = whole(value)
    return number === null ? (args[0] ?? named.get('default') ?? integer(0)) : integer(number)
  },
  float: (value, args, named) => {
    const number = real(value)
    return number === null ? (args[0] ?? named.get('default') ?? float(0)) : float(number)
  },
  tojson: (value, [, wide], named) => {
    const indent = wide ?? named.get('indent')
    const separators = named.get('separators')
    return text(
      json(value, {
        indent: indent && isInteger(indent) ? Number(indent.value) : null,
        separators: separators && isList(separators) ? (separators.value.map(str) as [string, string]) : null,
        ascii: truth(named.get('ensure_ascii')),
        sorted: truth(named.get('sort_keys')),
      }),
    )
  },
  format: (value, args) => text(formatted(str(value), { type: 'TupleValue', value: [...args] })),
}
/** Names that a filter has besides. */
const others: Record<string, string> = { d: 'default' }

/** A filter as Jinja has it; undefined where that is left to the library. */
export function applyFilter(
  name: string,
  value: Value,
  args: readonly Value[],
  named: ReadonlyMap<string, Value>,
): Value | undefined {
  const known = others[name] ?? name
  return Object.hasOwn(filters, known) ? filters[known]!(value, args, named) : undefined
}
