import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { tensorTypes, type TensorTypeName, valueTypes } from '../../../../engine/checkpoint/gguf/types.ts'

/** A key as it is to stand in the file: its type, or [type of the items], and its value; or raw bytes for both. */
export type Key = readonly [name: string, type: ScalarType | readonly [ScalarType], value: unknown] | Buffer
type ScalarType = Exclude<keyof typeof valueTypes, 'array'>

export interface Tensor {
  name: string
  type?: TensorTypeName
  /** Rows first. */
  shape: readonly (number | bigint)[]
  data?: Uint8Array
  /** What the file says of it, where that is not the truth. */
  typeId?: number
  dimensions?: number
  offset?: number | bigint
}

export interface Parts {
  magic?: string
  version?: number
  keys?: readonly Key[]
  tensors?: readonly Tensor[]
  keyCount?: number | bigint
  tensorCount?: number | bigint
  alignment?: number
}

export const u32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
export const u64 = (value: number | bigint) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
export const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])

/** The bytes of a GGUF file, built by hand so that every part of it can be wrong. */
export function ggufBytes(parts: Parts = {}): Buffer {
  const { magic = 'GGUF', version = 3, keys = [], tensors = [], alignment = 32 } = parts
  let end = 0
  const data: Buffer[] = []
  const infos = tensors.map((tensor) => {
    const { name, type = 'F32', shape, typeId = tensorTypes[type].id, dimensions = shape.length } = tensor
    const { weights, bytes } = tensorTypes[type]
    const size = tensor.data?.length ?? (shape.reduce<number>((all, n) => all * Number(n), 1) / weights) * bytes
    const info = Buffer.concat([
      text(name),
      u32(dimensions),
      ...shape.toReversed().map(u64),
      u32(typeId),
      u64(tensor.offset ?? end),
    ])
    if (size < 2 ** 20) data.push(padded(Buffer.from(tensor.data ?? new Uint8Array(size)), alignment))
    end += Math.ceil(size / alignment) * alignment
    return info
  })
  const header = Buffer.concat([
    Buffer.from(magic, 'latin1'),
    u32(version),
    u64(parts.tensorCount ?? tensors.length),
    u64(parts.keyCount ?? keys.length),
    ...keys.map(keyBytes),
    ...infos,
  ])
  return Buffer.concat([padded(header, alignment), ...data])
}

function keyBytes(key: Key): Buffer {
  if (Buffer.isBuffer(key)) return key
  const [name, type, value] = key
  if (typeof type === 'string') return Buffer.concat([text(name), u32(valueTypes[type]), valueBytes(type, value)])
  const [items] = type
  const values = value as readonly unknown[]
  return Buffer.concat([
    text(name),
    u32(valueTypes.array),
    u32(valueTypes[items]),
    u64(values.length),
    ...values.map((each) => valueBytes(items, each)),
  ])
}

function valueBytes(type: ScalarType, value: unknown): Buffer {
  if (type === 'string') return text(value as string)
  if (type === 'bool') return Buffer.of(Number(value))
  const bytes = Buffer.alloc(8)
  const number = value as number
  const width = {
    uint8: () => bytes.writeUInt8(number),
    int8: () => bytes.writeInt8(number),
    uint16: () => bytes.writeUInt16LE(number),
    int16: () => bytes.writeInt16LE(number),
    uint32: () => bytes.writeUInt32LE(number),
    int32: () => bytes.writeInt32LE(number),
    float32: () => bytes.writeFloatLE(number),
    uint64: () => bytes.writeBigUInt64LE(BigInt(number)),
    int64: () => bytes.writeBigInt64LE(BigInt(number)),
    float64: () => bytes.writeDoubleLE(number),
  }[type]()
  return bytes.subarray(0, width)
}

const padded = (bytes: Buffer, alignment: number) =>
  Buffer.concat([bytes, Buffer.alloc((alignment - (bytes.length % alignment)) % alignment)])

/** Writes a file into a folder that is removed when the test ends. */
export function writeGguf(context: TestContext, bytes: Uint8Array, name = 'model.gguf'): string {
  const folder = mkdtempSync(join(tmpdir(), 'secateur-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}
