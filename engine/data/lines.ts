import { stat } from 'node:fs/promises'
import { createGunzip } from 'node:zlib'
import { badFile, type SecateurError } from '../shared/errors.ts'
import { openFileHandle } from '../shared/open-file.ts'

/** Longest line, or JSON value, that is taken into memory, in bytes. */
export const defaultRowLimit = 64 * 2 ** 20

const newline = 10
const carriageReturn = 13

/**
 * The first `count` bytes of a file, fewer where it is shorter. Errors: no such file, a folder, no permission.
 */
export async function headOf(file: string, count: number): Promise<Buffer> {
  try {
    if ((await stat(file)).isDirectory()) throw badFile(file, undefined, 'is a folder; give a file in it')
    await using handle = await openFileHandle(file)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(count), 0, count, 0)
    return buffer.subarray(0, bytesRead)
  } catch (error) {
    throw readError(file, error)
  }
}

/**
 * A file's bytes in pieces, unpacked where it is gzip, without a UTF-8 byte order mark. UTF-16 is refused.
 *
 * @param onRead hears which fraction of the file is read
 */
export async function* readBytes(
  file: string,
  signal?: AbortSignal,
  onRead?: (fraction: number) => void,
): AsyncGenerator<Buffer> {
  const head = await headOf(file, 2)
  const { size } = await stat(file)
  const raw = (await openFileHandle(file)).createReadStream({ highWaterMark: 2 ** 20 })
  const isGzip = head[0] === 0x1f && head[1] === 0x8b
  const stream = isGzip ? raw.pipe(createGunzip({ chunkSize: 2 ** 20 })) : raw
  if (isGzip) raw.on('error', (error) => stream.destroy(error))
  let first = true
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      signal?.throwIfAborted()
      yield first ? withoutByteOrderMark(chunk, file) : chunk
      first = false
      onRead?.(Math.min(1, raw.bytesRead / size))
    }
  } catch (error) {
    throw readError(file, error)
  } finally {
    stream.destroy()
    raw.destroy()
  }
}

export interface Line {
  text: string
  /** Counting from 1. */
  number: number
}

export interface LineOptions {
  /** Longest line in bytes. */
  limit?: number | undefined
  /** Hears of a line that cannot be read, which is then left out; by default it ends the reading. */
  onBadRow?: ((error: SecateurError) => void) | undefined
}

/**
 * The lines of a stream of bytes, without their ending (LF or CRLF). Only these end a line: unlike `node:readline`, which
 * also splits at U+2028 and U+2029, both of which may stand inside a JSON string. A last line without an ending counts;
 * nothing after the last ending does not. Errors name file and line: bytes that are not UTF-8, a line over `limit` bytes.
 */
export async function* splitLines(
  bytes: AsyncIterable<Buffer>,
  file: string,
  { limit = defaultRowLimit, onBadRow }: LineOptions = {},
): AsyncGenerator<Line> {
  let held: Buffer[] = []
  let heldBytes = 0
  let number = 0

  /** Whether the line, of which `piece` is the latest part, is short enough; what is held of one that is not goes. */
  const fits = (piece: Buffer): boolean => {
    if (heldBytes + piece.length <= limit) return true
    const error = badFile(file, `line ${number + 1}`, `is longer than ${limit} bytes; split it into shorter rows`)
    if (!onBadRow) throw error
    // Told once of each line, of which no more is held.
    if (heldBytes < Infinity) onBadRow(error)
    held = []
    heldBytes = Infinity
    return false
  }
  const take = (piece: Buffer): Line | null => {
    number++
    const isTooLong = heldBytes === Infinity
    const line = held.length === 0 ? piece : Buffer.concat([...held, piece])
    held = []
    heldBytes = 0
    if (isTooLong) return null
    const end = line.at(-1) === carriageReturn ? line.length - 1 : line.length
    try {
      return { text: decodeUtf8(line.subarray(0, end), file, `line ${number}`), number }
    } catch (error) {
      if (!onBadRow) throw error
      onBadRow(error as SecateurError)
      return null
    }
  }

  for await (const chunk of bytes) {
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      fits(chunk.subarray(start, end))
      const line = take(chunk.subarray(start, end))
      if (line) yield line
      start = end + 1
    }
    const rest = chunk.subarray(start)
    if (rest.length > 0 && fits(rest)) {
      held.push(rest)
      heldBytes += rest.length
    }
  }
  const last = heldBytes > 0 ? take(Buffer.alloc(0)) : null
  if (last) yield last
}

/** Text of UTF-8 bytes; bytes that are not UTF-8 are an error at `where`. */
export function decodeUtf8(bytes: Uint8Array, file: string, where: string): string {
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw badFile(file, where, 'is not UTF-8 text; save the file as UTF-8', cause)
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function withoutByteOrderMark(chunk: Buffer, file: string): Buffer {
  if ((chunk[0] === 0xff && chunk[1] === 0xfe) || (chunk[0] === 0xfe && chunk[1] === 0xff)) {
    throw badFile(file, undefined, 'is UTF-16 text; save it as UTF-8')
  }
  return chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf ? chunk.subarray(3) : chunk
}

/** A system's or zlib's error in the user's words; every other error as it is. */
function readError(file: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ENOENT') return badFile(file, undefined, 'there is no such file', error)
  if (code === 'EACCES' || code === 'EPERM') return badFile(file, undefined, 'may not be read by this user', error)
  if (code.startsWith('Z_')) return badFile(file, undefined, 'is a damaged gzip file', error)
  return error
}
