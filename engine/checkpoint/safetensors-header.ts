import { z } from 'zod'
import { badFile } from '../shared/errors.ts'
import { parseAs, parseJson } from '../shared/files.ts'
import type { WeightType } from '../tensor/stored-tensor.ts'

/** A tensor in a safetensors file: its type, shape and place, before any of it is read. */
export interface TensorEntry {
  name: string
  /** As the file writes it: "F32", "BF16", "I64" and so on. */
  dtype: string
  shape: number[]
  /** Bytes of the tensor within the file: [begin, end). */
  begin: number
  end: number
}

export interface SafetensorsHeader {
  tensors: Map<string, TensorEntry>
  metadata: Record<string, string>
}

/** Longest header that the reference implementation takes. */
export const maxHeaderBytes = 100_000_000
/** Bytes before the header, which hold its length. */
export const lengthBytes = 8

const bitsOf: Record<string, number> = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  I64: 64,
  U64: 64,
  F64: 64,
  C64: 64,
}

const weightTypes: Record<string, WeightType> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' }
const fileTypes: Record<WeightType, string> = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' }

/** The weight type of a tensor, or undefined for a type that weights are not read from (I64, F8 and so on). */
export const weightTypeOf = (dtype: string): WeightType | undefined =>
  Object.hasOwn(weightTypes, dtype) ? weightTypes[dtype] : undefined

/** The name of a weight type in a safetensors file. */
export const fileTypeOf = (dtype: WeightType): string => fileTypes[dtype]

const size = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(size),
  data_offsets: z.tuple([size, size]),
})
const headerSchema = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'must be a JSON object',
)

/**
 * Checks the header of a safetensors file of `fileBytes` bytes: every type is known, every shape fits its byte range,
 * and the ranges cover the data without overlap, hole or remainder. Errors name the file and the tensor.
 */
export function parseHeader(file: string, text: string, fileBytes: number): SafetensorsHeader {
  const header = parseAs(headerSchema, parseJson(text, file, 'header'), file, 'header')
  const duplicate = duplicateKey(text)
  if (duplicate !== undefined) throw badFile(file, duplicate, 'appears twice in the header')

  const dataStart = lengthBytes + Buffer.byteLength(text)
  const dataBytes = fileBytes - dataStart
  const tensors = new Map<string, TensorEntry>()
  let metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = parseAs(z.record(z.string(), z.string()), value, file, name)
    else tensors.set(name, parseEntry(file, name, value, dataStart, dataBytes))
  }
  checkCoverage(file, [...tensors.values()], dataStart, fileBytes)
  return { tensors, metadata }
}

function parseEntry(file: string, name: string, value: unknown, dataStart: number, dataBytes: number): TensorEntry {
  const { dtype, shape, data_offsets: offsets } = parseAs(entrySchema, value, file, name)
  const bits = Object.hasOwn(bitsOf, dtype) ? bitsOf[dtype] : undefined
  if (bits === undefined) throw badFile(file, name, `has the unknown dtype "${dtype}"`)
  const [begin, end] = offsets
  if (end < begin) throw badFile(file, name, `has data_offsets [${begin}, ${end}], which end before they begin`)
  if (end > dataBytes) {
    const need = dataStart + end
    throw badFile(
      file,
      name,
      `has data_offsets [${begin}, ${end}] beyond the end of the file: that needs ${need} bytes and the file has ` +
        `${dataStart + dataBytes}. It is truncated or damaged; fetch it again`,
    )
  }
  const needed = (elementsOf(shape) * bits) / 8
  if (needed !== end - begin) {
    throw badFile(file, name, `is ${dtype} [${shape}], ${needed} bytes, but data_offsets hold ${end - begin} bytes`)
  }
  return { name, dtype, shape, begin: dataStart + begin, end: dataStart + end }
}

/** Number of values in a shape. May lose precision above 2^53, where no byte range of a file can equal it. */
export const elementsOf = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1)

function checkCoverage(file: string, tensors: TensorEntry[], dataStart: number, fileBytes: number): void {
  tensors.sort((one, other) => one.begin - other.begin || one.end - other.end)
  let reached = dataStart
  let previous = 'the header'
  for (const { name, begin, end } of tensors) {
    if (begin < reached) throw badFile(file, name, `overlaps ${previous}`)
    if (begin > reached) throw badFile(file, name, `leaves a hole of ${begin - reached} bytes after ${previous}`)
    reached = end
    previous = name
  }
  if (reached < fileBytes) {
    throw badFile(file, undefined, `has ${fileBytes - reached} bytes after ${previous} that belong to no tensor`)
  }
}

/** The first key that an object anywhere in valid JSON has twice; JSON.parse would keep the last without a word. */
function duplicateKey(json: string): string | undefined {
  const open: (Set<string> | null)[] = []
  let lastString: string | undefined
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(null)
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':') {
      const key = JSON.parse(lastString!) as string
      const keys = open.at(-1)!
      if (keys.has(key)) return key
      keys.add(key)
    } else lastString = token
  }
  return undefined
}

export interface PlannedTensor {
  name: string
  dtype: WeightType
  shape: readonly number[]
}

export const bytesPerValue = (dtype: WeightType) => (dtype === 'float32' ? 4 : 2)

/**
 * Lays tensors out in a file: the header with its length before it, padded so that data starts on 8 bytes, and the place
 * of each tensor. Wider types come first, so that each value lies on a multiple of its own size.
 */
export function layOut(
  planned: readonly PlannedTensor[],
  metadata: Record<string, string>,
): { header: Uint8Array; entries: Map<string, PlannedTensor & { begin: number; end: number }>; bytes: number } {
  const ordered = planned.toSorted((one, other) => bytesPerValue(other.dtype) - bytesPerValue(one.dtype))
  const fields: Record<string, unknown> = { __metadata__: metadata }
  const entries = new Map<string, PlannedTensor & { begin: number; end: number }>()
  let end = 0
  for (const tensor of ordered) {
    if (entries.has(tensor.name)) throw new Error(`tensor ${tensor.name} was planned twice`)
    const begin = end
    end += elementsOf(tensor.shape) * bytesPerValue(tensor.dtype)
    fields[tensor.name] = { dtype: fileTypeOf(tensor.dtype), shape: tensor.shape, data_offsets: [begin, end] }
    entries.set(tensor.name, { ...tensor, begin, end })
  }
  const json = Buffer.from(JSON.stringify(fields))
  const headerBytes = Math.ceil(json.length / 8) * 8
  const header = Buffer.alloc(lengthBytes + headerBytes, ' ')
  header.writeBigUInt64LE(BigInt(headerBytes))
  json.copy(header, lengthBytes)
  for (const entry of entries.values()) {
    entry.begin += header.length
    entry.end += header.length
  }
  return { header, entries, bytes: header.length + end }
}
