import type { FileHandle } from 'node:fs/promises'
import {
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
  type RowGroup,
  type SchemaTree,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { badFile, SecateurError } from '../shared/errors.ts'

type Row = Record<string, unknown>

/** A row group is decoded at once: this many bytes, unpacked, and this many values in a column are taken at most. */
const groupLimit = 4 * 2 ** 30
const pageLimit = 2 ** 30
const valueLimit = 2 ** 27

/** Which columns are read of a row group, and how. */
export interface ReadOptions {
  /** All of them where not given. */
  columns?: string[] | undefined
  /**
   * How values become plain JSON: `base64` also takes bytes that nothing is said of for text, as old writers leave texts;
   * `raw` keeps bytes as they are.
   */
  bytes?: 'base64' | 'raw' | undefined
}

/** An open Parquet file whose announced sizes have been checked. */
export interface ParquetFile {
  /** Rows of each row group, and the bytes that its columns unpack to. */
  groups: { rows: number; unpackedBytes: number }[]
  /** A row as its columns' types have it, with values that mean nothing: empty lists have one entry, texts are empty. */
  blankRow: Row
  schema: SchemaTree
  /** What writers have left beside the schema, by its key. */
  keyValues: ReadonlyMap<string, string>
  /** One row group, its values as plain JSON. Throws an Error that says what is wrong, without the place. */
  readGroup(index: number, options?: ReadOptions): Promise<Row[]>
}

/**
 * Reads a Parquet file's metadata. Sizes that it announces are checked before anything is read by them.
 *
 * @throws SecateurError where the metadata are damaged, whatever the library or we trip over in them
 */
export async function openParquet(handle: FileHandle, file: string): Promise<ParquetFile> {
  const source = bufferOf(handle, (await handle.stat()).size)
  const { metadata, rows, schema, blankRow } = await attempt(async () => {
    const found = await parquetMetadataAsync(source)
    checkSizes(found, file, source.byteLength)
    const tree = parquetSchema(found)
    return {
      metadata: found,
      rows: found.row_groups.map((group) => Number(group.num_rows)),
      schema: tree,
      blankRow: blankOf(tree) as Row,
    }
  }).catch((error: Error) => {
    throw error instanceof SecateurError ? error : badFile(file, 'metadata', error.message, error)
  })
  return {
    groups: metadata.row_groups.map((group, index) => ({ rows: rows[index]!, unpackedBytes: unpackedBytesOf(group) })),
    blankRow,
    schema,
    keyValues: new Map(metadata.key_value_metadata?.map(({ key, value }) => [key, value ?? ''])),
    async readGroup(index, { columns, bytes = 'base64' } = {}) {
      const rowStart = rows.slice(0, index).reduce((sum, count) => sum + count, 0)
      const rowEnd = rowStart + rows[index]!
      const found = await attempt(() =>
        parquetReadObjects({
          file: source,
          metadata,
          rowStart,
          rowEnd,
          compressors: guarded,
          utf8: bytes === 'base64',
          ...(columns && { columns }),
        }),
      )
      if (found.length !== rows[index]) throw new Error(`holds ${found.length} rows of the ${rows[index]} announced`)
      // What is kept must not hold on to the whole page that it was cut from.
      const ofBytes = bytes === 'raw' ? (value: Uint8Array) => value.slice() : toBase64
      return found.map((row) => plain(row, ofBytes) as Row)
    },
  }
}

function blankOf({ element, children }: SchemaTree): unknown {
  const inner = children.map((child): [string, unknown] => [child.element.name, blankOf(child)])
  const isList = element.converted_type === 'LIST' || element.logical_type?.type === 'LIST'
  // A list is a group around a repeated group around its entries.
  if (isList) return [children[0]?.children[0] ? blankOf(children[0].children[0]) : '']
  const value =
    children.length > 0
      ? Object.fromEntries(inner)
      : element.type === 'BYTE_ARRAY' || element.type === 'FIXED_LEN_BYTE_ARRAY'
        ? ''
        : element.type === 'BOOLEAN'
          ? false
          : 0
  return element.repetition_type === 'REPEATED' ? [value] : value
}

const unpackedBytesOf = (group: RowGroup) =>
  group.columns.reduce((sum, column) => sum + Number(column.meta_data?.total_uncompressed_size ?? 0), 0)

/** Ranges of an open file; one outside it is an error before memory is taken. */
function bufferOf(handle: FileHandle, byteLength: number): AsyncBuffer {
  return {
    byteLength,
    async slice(start, end = byteLength) {
      if (!(start >= 0 && end >= start && end <= byteLength)) {
        throw new RangeError(`bytes ${start} to ${end} lie outside the file of ${byteLength} bytes`)
      }
      const bytes = new Uint8Array(end - start)
      let filled = 0
      while (filled < bytes.length) {
        const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled)
        if (bytesRead === 0) throw new RangeError('the file became shorter while it was read')
        filled += bytesRead
      }
      return bytes.buffer
    },
  }
}

function checkSizes(metadata: FileMetaData, file: string, fileSize: number) {
  for (const [index, group] of metadata.row_groups.entries()) {
    const where = `row group ${index}`
    for (const column of group.columns) {
      const data = column.meta_data
      if (!data) throw badFile(file, where, 'a column has no metadata (encrypted or split files are not read)')
      const name = `${where}, column ${data.path_in_schema.join('.')}`
      const packed = Number(data.total_compressed_size)
      const offset = Number(data.dictionary_page_offset ?? data.data_page_offset)
      if (!(packed >= 0 && offset >= 0 && offset + packed <= fileSize)) {
        throw badFile(file, name, `lies outside the file of ${fileSize} bytes; the file is damaged`)
      }
      if (!(data.num_values >= 0n && data.num_values <= BigInt(valueLimit))) {
        throw badFile(file, name, `announces ${data.num_values} values; at most ${valueLimit} a row group are read`)
      }
    }
    const unpacked = unpackedBytesOf(group)
    if (!(unpacked >= 0 && unpacked <= groupLimit)) {
      throw badFile(file, where, `unpacks to ${unpacked} bytes; write the file with smaller row groups`)
    }
    const fewest = group.columns.reduce((least, column) => {
      const values = column.meta_data!.num_values
      return values < least ? values : least
    }, BigInt(valueLimit))
    if (!(group.num_rows >= 0n && group.num_rows <= fewest)) {
      throw badFile(file, where, `announces ${group.num_rows} rows but a column holds ${fewest} values`)
    }
  }
}

/** The decompressors, refusing a page that says that it unpacks to an absurd size. */
const guarded: Compressors = Object.fromEntries(
  Object.entries(compressors).map(([codec, unpack]) => [
    codec,
    (input: Uint8Array, outputLength: number) => {
      if (!(outputLength >= 0 && outputLength <= pageLimit)) throw new RangeError(`a page of ${outputLength} bytes`)
      return unpack(input, outputLength)
    },
  ]),
)

async function attempt<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    if (cause instanceof SecateurError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`cannot be read as Parquet (${reason}); is the file damaged or cut short?`, { cause })
  }
}

const toBase64 = (value: Uint8Array) => Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')

function plain(value: unknown, ofBytes: (bytes: Uint8Array) => unknown): unknown {
  const inner = (each: unknown) => plain(each, ofBytes)
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : String(value)
  }
  if (value === undefined) return null
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (value instanceof Uint8Array) return ofBytes(value)
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as Iterable<unknown>, inner)
  if (Array.isArray(value)) return value.map(inner)
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, inner(field)]))
}
