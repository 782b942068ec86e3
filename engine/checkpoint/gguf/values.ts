import { badFile } from '../../shared/errors.ts'
import type { HeaderCursor } from './cursor.ts'
import { valueTypes, type ValueType } from './types.ts'

/** Numbers of an array, as its type has them; a bool is 0 or 1. */
export type NumberArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | BigUint64Array
  | BigInt64Array
  | Float64Array

/** The value of a key. */
export type ReadValue =
  | { type: 'string'; value: string }
  | { type: 'bool'; value: boolean }
  | { type: Exclude<ValueType, 'string' | 'bool' | 'array'>; value: number | bigint }
  | { type: 'array'; items: 'string'; value: string[] }
  | { type: 'array'; items: Exclude<ValueType, 'string' | 'array'>; value: NumberArray }

const views = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  bool: Uint8Array,
  uint64: BigUint64Array,
  int64: BigInt64Array,
  float64: Float64Array,
} as const

const nameOf = new Map(Object.entries(valueTypes).map(([name, id]) => [id as number, name as ValueType]))
/** A text has its length before it. */
const leastTextBytes = 8

/** Reads the value of a key: its type, and what that says. @throws SecateurError naming the key */
export function readValue(cursor: HeaderCursor, key: string): ReadValue {
  const type = readType(cursor, key)
  if (type === 'array') return readArray(cursor, key)
  if (type === 'string') return { type, value: cursor.text(key) }
  const [value] = readNumbers(cursor, key, type, 1)
  if (type === 'bool') return { type, value: value === 1 }
  return { type, value: value! }
}

function readType(cursor: HeaderCursor, key: string): ValueType {
  const id = cursor.uint32(key)
  const type = nameOf.get(id)
  if (type === undefined) throw badFile(cursor.source.path, key, `has the unknown value type ${id}`)
  return type
}

function readArray(cursor: HeaderCursor, key: string): ReadValue {
  const items = readType(cursor, key)
  const { path } = cursor.source
  // llama.cpp does not read them either, and nothing that is known of a model is one.
  if (items === 'array') throw badFile(path, key, 'is an array of arrays, which is not read')
  const count = cursor.size(key)
  if (items !== 'string') return { type: 'array', items, value: readNumbers(cursor, key, items, count) }
  cursor.require(count * leastTextBytes, key)
  const value: string[] = []
  for (let index = 0; index < count; index++) value.push(cursor.text(`${key}.${index}`))
  return { type: 'array', items, value }
}

function readNumbers(cursor: HeaderCursor, key: string, type: keyof typeof views, count: number): NumberArray {
  const View = views[type]
  const bytes = new Uint8Array(cursor.take(count * View.BYTES_PER_ELEMENT, key))
  if (type === 'bool' && bytes.some((value) => value > 1))
    throw badFile(cursor.source.path, key, `has the bool ${bytes.find((value) => value > 1)}; a bool is 0 or 1`)
  return new View(bytes.buffer)
}
