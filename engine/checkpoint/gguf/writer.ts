import { PlacedFile } from '../placed-file.ts'
import { elementsOf } from '../safetensors-header.ts'
import {
  alignmentKey,
  defaultAlignment,
  ggufMagic,
  ggufVersion,
  type TensorTypeName,
  tensorTypes,
  type ValueType,
  valueTypes,
} from './types.ts'

/** A value of a key, with the type in which the file has it. Arrays hold values of one type. */
export type GgufValue =
  | { type: 'uint32' | 'int32' | 'float32' | 'uint64'; value: number }
  | { type: 'bool'; value: boolean }
  | { type: 'string'; value: string }
  | { type: 'array'; of: 'uint32' | 'int32' | 'float32'; value: readonly number[] }
  | { type: 'array'; of: 'bool'; value: readonly boolean[] }
  | { type: 'array'; of: 'string'; value: readonly string[] }

export type GgufKeys = ReadonlyMap<string, GgufValue>

/** A tensor that a file will hold. */
export interface PlannedGgufTensor {
  name: string
  type: TensorTypeName
  /** Rows first, as everywhere else; the file has it in reverse. */
  shape: readonly number[]
}

interface Place {
  begin: number
  bytes: number
  /** Bytes that are not written yet. */
  missing: number
}

/** Longest name of a tensor that ggml takes, its closing zero left out. */
const longestName = 63
const aligned = (bytes: number) => Math.ceil(bytes / defaultAlignment) * defaultAlignment

/**
 * Bytes of a tensor in a type.
 *
 * @throws RangeError where a row is not a whole number of the type's blocks
 */
export function ggufBytes(type: TensorTypeName, shape: readonly number[]): number {
  const { weights, bytes } = tensorTypes[type]
  const columns = shape.at(-1) ?? 1
  if (columns % weights !== 0) throw new RangeError(`rows of ${columns} are not whole blocks of ${type} (${weights})`)
  return (elementsOf(shape) / weights) * bytes
}

/**
 * Writes a GGUF file piece by piece, in any order: keys, names, types and shapes are planned first, so that the header is
 * written at once and no tensor has to be kept.
 */
export class GgufWriter {
  readonly path: string
  /** Bytes that the whole file will have. */
  readonly bytes: number
  readonly #file: PlacedFile
  readonly #places = new Map<string, Place>()

  constructor(path: string, keys: GgufKeys, tensors: readonly PlannedGgufTensor[]) {
    this.path = path
    const { header, places, bytes } = layOutGguf(keys, tensors)
    this.bytes = bytes
    this.#places = places
    this.#file = PlacedFile.create(path)
    try {
      this.#file.writeAt(header, 0)
      this.#file.resize(bytes)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Writes bytes of a planned tensor from a place within it. Throws where it was not planned, or they do not fit in. */
  write(name: string, offset: number, bytes: Uint8Array): void {
    const place = this.#places.get(name)
    if (!place) throw new Error(`${this.path}: tensor ${name} was not planned`)
    if (offset < 0 || offset + bytes.length > place.bytes || bytes.length > place.missing)
      throw new Error(`${this.path}: ${bytes.length} bytes at ${offset} do not fit into tensor ${name}`)
    this.#file.writeAt(bytes, place.begin + offset)
    place.missing -= bytes.length
  }

  /** Closes the file. Throws where a part of a planned tensor is missing. */
  finish(): void {
    this.close()
    const missing = [...this.#places].filter(([, place]) => place.missing > 0).map(([name]) => name)
    if (missing.length > 0) throw new Error(`${this.path}: tensors were not written whole: ${missing.join(', ')}`)
  }

  close(): void {
    this.#file.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** The header of a file, and where in it every tensor lies. */
export function layOutGguf(
  keys: GgufKeys,
  tensors: readonly PlannedGgufTensor[],
): { header: Uint8Array; places: Map<string, Place>; bytes: number } {
  if (keys.has(alignmentKey))
    throw new Error(`files are written with the usual alignment; ${alignmentKey} is not a key`)
  const parts = new HeaderParts()
  parts.bytes(Buffer.from(ggufMagic, 'latin1'))
  parts.number('uint32', ggufVersion)
  parts.number('uint64', tensors.length)
  parts.number('uint64', keys.size)
  for (const [name, value] of keys) {
    parts.text(name)
    parts.value(value)
  }
  const places = new Map<string, Place>()
  let offset = 0
  for (const { name, type, shape } of tensors) {
    if (places.has(name)) throw new Error(`tensor ${name} was planned twice`)
    if (Buffer.byteLength(name) > longestName) throw new Error(`the name ${name} is longer than ${longestName} bytes`)
    const bytes = ggufBytes(type, shape)
    parts.text(name)
    parts.number('uint32', shape.length)
    for (const length of shape.toReversed()) parts.number('uint64', length)
    parts.number('uint32', tensorTypes[type].id)
    parts.number('uint64', offset)
    places.set(name, { begin: offset, bytes, missing: bytes })
    offset = aligned(offset + bytes)
  }
  const fields = parts.joined()
  const header = new Uint8Array(aligned(fields.length))
  header.set(fields)
  for (const place of places.values()) place.begin += header.length
  return { header, places, bytes: header.length + offset }
}

type NumberType = 'uint32' | 'int32' | 'float32' | 'uint64'
const widths: Record<NumberType, number> = { uint32: 4, int32: 4, float32: 4, uint64: 8 }

/** Fields of a header, little-endian, one after another. */
class HeaderParts {
  readonly #parts: Uint8Array[] = []

  bytes(bytes: Uint8Array): void {
    this.#parts.push(bytes)
  }

  number(type: NumberType, value: number): void {
    this.numbers(type, [value])
  }

  numbers(type: NumberType, values: readonly number[]): void {
    const bytes = Buffer.alloc(widths[type] * values.length)
    for (const [index, value] of values.entries()) {
      const at = index * widths[type]
      if (type === 'float32') bytes.writeFloatLE(value, at)
      else if (type === 'uint64') bytes.writeBigUInt64LE(BigInt(value), at)
      else if (type === 'int32') bytes.writeInt32LE(value, at)
      else bytes.writeUInt32LE(value, at)
    }
    this.#parts.push(bytes)
  }

  text(text: string): void {
    const bytes = Buffer.from(text, 'utf8')
    this.number('uint64', bytes.length)
    this.#parts.push(bytes)
  }

  value(given: GgufValue): void {
    this.#type(given.type)
    if (given.type === 'array') {
      this.#type(given.of)
      this.number('uint64', given.value.length)
      if (given.of === 'string') for (const text of given.value) this.text(text)
      else if (given.of === 'bool') this.bytes(Uint8Array.from(given.value, Number))
      else this.numbers(given.of, given.value)
    } else if (given.type === 'string') this.text(given.value)
    else if (given.type === 'bool') this.bytes(Uint8Array.of(Number(given.value)))
    else this.number(given.type, given.value)
  }

  #type(type: ValueType): void {
    this.number('uint32', valueTypes[type])
  }

  joined(): Uint8Array {
    return Buffer.concat(this.#parts)
  }
}
