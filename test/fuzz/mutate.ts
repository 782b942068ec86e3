import type { Random } from '../../engine/shared/random.ts'

/** Numbers at which sizes, counts and offsets go wrong. */
const numbers = ['0', '-1', '-0', '1.5', '255', '65536', '2147483647', '2147483648', '4294967296', '9007199254740993']
const strangeNumbers = [...numbers, '18446744073709551615', '1e308', '-1e308', '1e999', '1e-320', 'NaN', '-Infinity']
const words = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff]
const hostileValues: (() => unknown)[] = [
  () => null,
  () => true,
  () => '',
  () => 'x',
  () => '\0',
  () => '\ud800',
  () => '../../outside',
  () => '__proto__',
  () => 'x'.repeat(100_000),
  () => [],
  () => {},
  () => ({}),
  () => [null],
  () => nested(100),
  () => nested(2000),
  ...numbers.map((text) => () => Number(text)),
  () => 1e308,
]

/** Arrays in arrays. */
function nested(depth: number): unknown {
  let value: unknown = 0
  for (let i = 0; i < depth; i++) value = [value]
  return value
}

const oneOf = <T>(random: Random, list: readonly T[]): T => list[random.integer(list.length)]!

/** A place in `length` bytes, and how many from there: few mostly, many at times. */
function range(random: Random, length: number): [start: number, end: number] {
  const start = random.integer(length + 1)
  const most = random.integer(4) === 0 ? length : Math.min(length, 16)
  return [start, Math.min(length, start + 1 + random.integer(most + 1))]
}

type Mutation = (bytes: Buffer, random: Random, others: readonly Buffer[]) => Buffer

const replaced = (bytes: Buffer, start: number, end: number, by: Uint8Array): Buffer =>
  Buffer.concat([bytes.subarray(0, start), by, bytes.subarray(end)])

const truncate: Mutation = (bytes, random) => bytes.subarray(0, random.integer(bytes.length + 1))

const flip: Mutation = (bytes, random) => {
  const copy = Buffer.from(bytes)
  for (let left = 1 + random.integer(8); left > 0 && copy.length > 0; left--)
    copy[random.integer(copy.length)]! ^= 1 << random.integer(8)
  return copy
}

const overwrite: Mutation = (bytes, random) => {
  const copy = Buffer.from(bytes)
  const width = oneOf(random, [1, 2, 4, 8])
  if (copy.length < width) return copy
  const start = random.integer(copy.length - width + 1)
  const word = Buffer.alloc(8)
  word.writeUInt32LE(oneOf(random, words))
  if (random.integer(4) === 0) word.writeUInt32LE(0xffffffff, 4)
  word.copy(copy, start, 0, width)
  return copy
}

const remove: Mutation = (bytes, random) => replaced(bytes, ...range(random, bytes.length), Buffer.alloc(0))

const repeat: Mutation = (bytes, random) => {
  const [start, end] = range(random, bytes.length)
  const piece = bytes.subarray(start, end)
  return replaced(bytes, end, end, Buffer.concat(Array.from({ length: 1 + random.integer(3) }, () => piece)))
}

/** A piece of this file, or of another, stands in the place of a piece. */
const splice: Mutation = (bytes, random, others) => {
  const from = oneOf(random, [bytes, ...others])
  return replaced(bytes, ...range(random, bytes.length), from.subarray(...range(random, from.length)))
}

const insertNul: Mutation = (bytes, random) => {
  const [start] = range(random, bytes.length)
  return replaced(bytes, start, start, Buffer.alloc(oneOf(random, [1, 4, 512])))
}

const nest: Mutation = (bytes, random) => {
  const [start] = range(random, bytes.length)
  const text = oneOf(random, ['[', '{"a":', '(', '{{', '{% if x %}'])
  return replaced(bytes, start, start, Buffer.from(text.repeat(oneOf(random, [10, 1000, 20_000]))))
}

/** One of the numbers that stand in a text becomes another. */
const changeNumber: Mutation = (bytes, random) => {
  const text = bytes.toString('latin1')
  const found = [...text.matchAll(/\d+(\.\d+)?/g)]
  if (found.length === 0) return overwrite(bytes, random, [])
  const { index, 0: number } = oneOf(random, found)
  return replaced(bytes, index, index + number.length, Buffer.from(oneOf(random, strangeNumbers)))
}

const swapLines: Mutation = (bytes, random) => {
  const lines = bytes.toString('latin1').split('\n')
  const [one, other] = [random.integer(lines.length), random.integer(lines.length)]
  ;[lines[one], lines[other]] = [lines[other]!, lines[one]!]
  return Buffer.from(lines.join('\n'), 'latin1')
}

/** A value somewhere in JSON, or in one of the lines of JSON, becomes another; what is no JSON is changed as bytes. */
const changeJson: Mutation = (bytes, random, others) => {
  const lines = bytes.toString('utf8').split('\n')
  const filled = [...lines.keys()].filter((at) => lines[at] !== '')
  const whole = parsed(bytes.toString('utf8'))
  if (whole !== undefined) return Buffer.from(JSON.stringify(changeValue(whole, random)) ?? '')
  if (filled.length === 0) return flip(bytes, random, others)
  const at = oneOf(random, filled)
  const value = parsed(lines[at]!)
  if (value === undefined) return oneOf(random, [flip, changeNumber])(bytes, random, others)
  lines[at] = JSON.stringify(changeValue(value, random)) ?? ''
  return Buffer.from(lines.join('\n'))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function changeValue(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null || random.integer(8) === 0) return oneOf(random, hostileValues)()
  const entries = Object.entries(value)
  if (entries.length === 0) return oneOf(random, hostileValues)()
  const at = random.integer(entries.length)
  const [name, inner] = entries[at]!
  const kind = random.integer(10)
  if (kind === 0) entries.splice(at, 1)
  else if (kind === 1) entries.push([`${name}${oneOf(random, ['', '2', '\0', '__proto__'])}`, inner])
  else if (kind === 2) entries[at] = [oneOf(random, entries)[0], inner]
  else if (kind === 3) entries[at] = [name, oneOf(random, entries)[1]]
  else entries[at] = [name, changeValue(inner, random)]
  return Array.isArray(value) ? entries.map(([, item]) => item) : Object.fromEntries(entries)
}

const mutations: readonly Mutation[] = [
  truncate,
  flip,
  overwrite,
  remove,
  repeat,
  splice,
  insertNul,
  nest,
  changeNumber,
  swapLines,
  changeJson,
  changeJson,
  changeJson,
  changeJson,
]

/** Bytes that are almost right: one change mostly, at times several. */
export function mutate(bytes: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  let result = bytes
  const times = random.integer(3) > 0 ? 1 : 2 + random.integer(3)
  for (let i = 0; i < times; i++) result = oneOf(random, mutations)(result, random, others)
  return result.subarray(0, 4 * 2 ** 20)
}
