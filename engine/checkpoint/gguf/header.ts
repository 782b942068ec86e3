import { badFile } from '../../shared/errors.ts'
import { contentHint, hintBytes } from '../../shared/file-content.ts'
import { elementsOf } from '../safetensors-header.ts'
import { type ByteSource, HeaderCursor } from './cursor.ts'
import { KeyReader } from './key-reader.ts'
import {
  alignmentKey,
  defaultAlignment,
  ggufMagic,
  maxDimensions,
  readVersions,
  tensorTypeNamed,
  tensorTypes,
  type TensorTypeName,
} from './types.ts'
import { type ReadValue, readValue } from './values.ts'

/** A tensor in a GGUF file, before any of it is read. */
export interface GgufEntry {
  name: string
  type: TensorTypeName
  /** Rows first, as everywhere but in the file, which has the columns first. */
  shape: number[]
  /** Bytes of the tensor within the file: [begin, end). */
  begin: number
  end: number
}

export interface GgufHeader {
  keys: KeyReader
  tensors: Map<string, GgufEntry>
}

/** More than any model has: what a file claims must not fill memory with small things. */
const mostKeys = 2 ** 16
const mostTensors = 2 ** 17
const longestName = 1024
const mostAlignment = 2 ** 20

/**
 * Reads and checks the header of a GGUF file: every count and length lies within the file, every name stands once, every
 * type is known, every tensor lies within the data on a multiple of the alignment, and none overlaps another.
 *
 * @throws SecateurError naming the file, and the key or tensor
 */
export function readGgufHeader(source: ByteSource): GgufHeader {
  const cursor = new HeaderCursor(source)
  checkStart(cursor)
  const tensorCount = readCount(cursor, 'tensor count', mostTensors)
  const keyCount = readCount(cursor, 'key count', mostKeys)
  const values = new Map<string, ReadValue>()
  for (let index = 0; index < keyCount; index++) {
    const name = readName(cursor, `key ${index}`)
    if (values.has(name)) throw badFile(source.path, name, 'is there twice')
    values.set(name, readValue(cursor, name))
  }
  const keys = new KeyReader(source.path, values)
  const alignment = alignmentOf(keys)
  const tensors = new Map<string, GgufEntry>()
  for (let index = 0; index < tensorCount; index++) {
    const tensor = readTensor(cursor, `tensor ${index}`, alignment)
    if (tensors.has(tensor.name)) throw badFile(source.path, tensor.name, 'is there twice')
    tensors.set(tensor.name, tensor)
  }
  const dataStart = Math.ceil(cursor.position / alignment) * alignment
  for (const tensor of tensors.values()) place(tensor, dataStart, source)
  checkOverlaps(source.path, [...tensors.values()])
  return { keys, tensors }
}

function checkStart(cursor: HeaderCursor): void {
  const { source } = cursor
  const { path } = source
  if (cursor.take(ggufMagic.length, 'header').toString('latin1') !== ggufMagic) {
    const start = new Uint8Array(Math.min(source.bytes, hintBytes))
    source.readAt(start, 0)
    const other = contentHint(start)
    throw badFile(path, other === null ? 'header' : undefined, other ?? 'does not begin with GGUF: it is no such file')
  }
  const version = cursor.uint32('version')
  if (readVersions.includes(version)) return
  const reversed = Buffer.alloc(4)
  reversed.writeUInt32BE(version)
  const text = readVersions.includes(reversed.readUInt32LE())
    ? 'is of a big-endian file; only little-endian ones are read'
    : version === 1
      ? 'is 1, of which few files exist; convert the model again with a newer llama.cpp'
      : `is ${version}; ${readVersions.join(' and ')} are read`
  throw badFile(path, 'version', text)
}

function readCount(cursor: HeaderCursor, field: string, most: number): number {
  const count = cursor.size(field)
  if (count > most) throw badFile(cursor.source.path, field, `is ${count}; at most ${most} are read`)
  return count
}

function readName(cursor: HeaderCursor, field: string): string {
  const name = cursor.text(field)
  if (name === '') throw badFile(cursor.source.path, field, 'has an empty name')
  if (name.length > longestName)
    throw badFile(
      cursor.source.path,
      field,
      `has a name of ${name.length} characters; at most ${longestName} are accepted`,
    )
  return name
}

function alignmentOf(keys: KeyReader): number {
  const alignment = keys.integer(alignmentKey) ?? defaultAlignment
  const isPower = alignment > 0 && Number.isInteger(Math.log2(alignment))
  if (isPower && alignment <= mostAlignment) return alignment
  throw badFile(keys.path, alignmentKey, `is ${alignment}; it must be a power of two up to ${mostAlignment}`)
}

/** A tensor whose place is still counted from where the data starts. */
function readTensor(cursor: HeaderCursor, at: string, alignment: number): GgufEntry {
  const { path } = cursor.source
  const name = readName(cursor, at)
  const dimensions = cursor.uint32(name)
  if (dimensions < 1 || dimensions > maxDimensions)
    throw badFile(path, name, `has ${dimensions} dimensions; from 1 to ${maxDimensions} are possible`)
  const columnsFirst = Array.from({ length: dimensions }, () => cursor.size(name))
  const shape = columnsFirst.toReversed()
  const id = cursor.uint32(name)
  const begin = cursor.size(name)
  const type = tensorTypeNamed(id)
  if (type === undefined) throw badFile(path, name, `has the unknown type ${id}`)
  const { weights, bytes } = tensorTypes[type]
  const elements = elementsOf(shape)
  if (elements === 0) throw badFile(path, name, `has the shape [${shape}], of no elements`)
  // Numbers are exact up to there, and no file is as large.
  if (elements * bytes > Number.MAX_SAFE_INTEGER) throw badFile(path, name, `has the absurd shape [${shape}]`)
  if (shape.at(-1)! % weights !== 0)
    throw badFile(path, name, `has rows of ${shape.at(-1)} numbers; rows of ${type} are multiples of ${weights}`)
  if (begin % alignment !== 0)
    throw badFile(path, name, `has the offset ${begin}, which is no multiple of the alignment ${alignment}`)
  return { name, type, shape, begin, end: begin + (elements / weights) * bytes }
}

function place(tensor: GgufEntry, dataStart: number, { path, bytes }: ByteSource): void {
  tensor.begin += dataStart
  tensor.end += dataStart
  if (tensor.end > bytes)
    throw badFile(
      path,
      tensor.name,
      `is ${tensor.type} [${tensor.shape}] and ends at byte ${tensor.end}; the file has ${bytes}. It is truncated or damaged; fetch it again`,
    )
}

function checkOverlaps(path: string, tensors: GgufEntry[]): void {
  tensors.sort((one, other) => one.begin - other.begin)
  for (const [index, tensor] of tensors.entries()) {
    const before = tensors[index - 1]
    if (before && tensor.begin < before.end) throw badFile(path, tensor.name, `overlaps ${before.name}`)
  }
}
