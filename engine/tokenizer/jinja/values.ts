import { Environment, type Value } from './library.ts'

export type { Value }

interface Text extends Value {
  value: string
}
interface Numeric extends Value {
  value: number | boolean
}
export interface List extends Value {
  value: Value[]
}
export interface Mapping extends Value {
  value: Map<string, Value>
  builtins: ReadonlyMap<string, Value>
}

/** A value of the library from a plain one; functions get plain values, see `method`. */
export const wrap = (value: unknown): Value => new Environment().set('value', value)

const constructorOf = (value: unknown) =>
  Object.getPrototypeOf(wrap(value)).constructor as new (value: unknown) => Value
const FloatValue = constructorOf(0.5)
const IntegerValue = constructorOf(1)
const FunctionValue = constructorOf(() => null)
const ArrayValue = constructorOf([])
const ObjectValue = constructorOf({})

export const float = (value: number): Value => new FloatValue(value)
export const integer = (value: number): Value => new IntegerValue(value)
export const text = (value: string): Value => wrap(value)
export const boolean = (value: boolean): Value => wrap(value)
export const list = (values: Value[]): Value => new ArrayValue(values)
export const mapping = (values: ReadonlyMap<string, Value>): Value => new ObjectValue(values)
export const missing = (): Value => wrap(undefined)
/** A function of positional and named arguments. */
export const method = (call: (args: Value[], named: ReadonlyMap<string, Value>) => Value): Value =>
  new FunctionValue((args: Value[]) => {
    const last = args.at(-1)
    return last?.type === 'KeywordArgumentsValue'
      ? call(args.slice(0, -1), (last as Mapping).value)
      : call(args, new Map())
  })

export const isText = (value: Value): value is Text => value.type === 'StringValue'
export const isInteger = (value: Value): value is Numeric =>
  value.type === 'IntegerValue' || value.type === 'BooleanValue'
export const isFloat = (value: Value) => value.type === 'FloatValue'
export const isNumeric = (value: Value): value is Numeric => isInteger(value) || isFloat(value)
export const isTuple = (value: Value) => value.type === 'TupleValue'
export const isList = (value: Value): value is List => value.type === 'ArrayValue' || isTuple(value)
export const isMapping = (value: Value): value is Mapping =>
  value.type === 'ObjectValue' || value.type === 'KeywordArgumentsValue'
export const isNone = (value: Value) => value.type === 'NullValue'
export const isMissing = (value: Value) => value.type === 'UndefinedValue'

const kinds: Record<string, string> = {
  StringValue: 'str',
  IntegerValue: 'int',
  FloatValue: 'float',
  BooleanValue: 'bool',
  ArrayValue: 'list',
  TupleValue: 'tuple',
  ObjectValue: 'dict',
  NullValue: 'NoneType',
  UndefinedValue: 'undefined value',
}
/** Python's `bool(x)`. */
export function isTrue(value: Value): boolean {
  if (isList(value)) return value.value.length > 0
  if (isMapping(value)) return value.value.size > 0
  return Boolean(value.value)
}

/** Name of a value's type in Python. */
export const kindOf = ({ type }: Value): string => kinds[type] ?? type

/** Python's `str(x)`, which is what a template writes. */
export function str(value: Value): string {
  if (isText(value)) return value.value
  return isMissing(value) ? '' : repr(value)
}

/** Python's `repr(x)`. */
export function repr(value: Value): string {
  if (isText(value)) return quoted(value.value)
  if (isFloat(value)) return floatText(value.value as number)
  if (value.type === 'BooleanValue') return value.value ? 'True' : 'False'
  if (isNone(value)) return 'None'
  if (isMissing(value)) return 'Undefined'
  if (isTuple(value)) {
    const inside = (value as List).value.map(repr)
    return `(${inside.join(', ')}${inside.length === 1 ? ',' : ''})`
  }
  if (isList(value)) return `[${value.value.map(repr).join(', ')}]`
  if (isMapping(value)) return `{${[...value.value].map(([key, one]) => `${quoted(key)}: ${repr(one)}`).join(', ')}}`
  return String(value.value)
}

const escapes: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function quoted(value: string): string {
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'"
  // Python escapes what cannot be printed.
  const inside = value.replaceAll(/[\\\n\r\t\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu, (character) => {
    if (escapes[character] !== undefined) return escapes[character]
    const code = character.codePointAt(0)!.toString(16)
    return code.length <= 2
      ? `\\x${code.padStart(2, '0')}`
      : code.length <= 4
        ? `\\u${code.padStart(4, '0')}`
        : `\\U${code.padStart(8, '0')}`
  })
  return quote + (quote === "'" ? inside.replaceAll("'", "\\'") : inside) + quote
}

/** Python's text of a float: the fewest digits that say which one, always with a point or an exponent. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  const [digits, exponent] = value.toExponential().split('e') as [string, string]
  const power = Number(exponent)
  if (value !== 0 && (power < -4 || power >= 16))
    return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
  const plain = Object.is(value, -0) ? '-0' : String(value)
  return plain.includes('.') ? plain : `${plain}.0`
}

/** Python's `==`. */
export function equal(one: Value, other: Value): boolean {
  if (isNumeric(one) && isNumeric(other)) return Number(one.value) === Number(other.value)
  if (isList(one) && isList(other))
    return (
      one.type === other.type &&
      one.value.length === other.value.length &&
      one.value.every((item, index) => equal(item, other.value[index]!))
    )
  if (isMapping(one) && isMapping(other))
    return (
      one.value.size === other.value.size &&
      [...one.value].every(([key, item]) => {
        const same = other.value.get(key)
        return same !== undefined && equal(item, same)
      })
    )
  return one.type === other.type && one.value === other.value
}

/** What a loop over a value sees. */
export function itemsOf(value: Value): Value[] {
  if (isList(value)) return value.value
  if (isMapping(value)) return [...value.value.keys()].map(text)
  if (isText(value)) return Array.from(value.value, text)
  if (isMissing(value)) return []
  throw new TypeError(`'${kindOf(value)}' object is not iterable`)
}

/** Characters of a text, as Python counts them. */
export const lengthOf = (value: Value): number => {
  if (isNumeric(value) || isNone(value)) throw new TypeError(`object of type '${kindOf(value)}' has no len()`)
  return itemsOf(value).length
}
