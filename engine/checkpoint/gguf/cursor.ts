import { isUtf8 } from 'node:buffer'
import { badFile } from '../../shared/errors.ts'

/** Where bytes come from: a file, or memory. */
export interface ByteSource {
  /** Path, for messages. */
  readonly path: string
  readonly bytes: number
  /** Fills all of `target` from a position on. */
  readAt(target: Uint8Array, position: number): void
}

/** Longest header that is read. Those of vocabularies of 262,000 tokens have about 15 MB. */
export const maxHeaderBytes = 100_000_000
const windowBytes = 1 << 20

/**
 * Reads a header from its start on, a piece at a time. Whatever a file claims, no more memory is taken than it has bytes
 * left, and none beyond `maxHeaderBytes`.
 */
export class HeaderCursor {
  readonly source: ByteSource
  #window: Buffer = Buffer.alloc(0)
  /** Position in the file of the window's first byte, and what was taken of the window. */
  #start = 0
  #taken = 0

  constructor(source: ByteSource) {
    this.source = source
  }

  /** Position in the file. */
  get position(): number {
    return this.#start + this.#taken
  }

  /** @throws SecateurError where the file ends, or the header becomes too long, before `length` more bytes */
  require(length: number, field: string): void {
    const { path, bytes } = this.source
    if (length > bytes - this.position)
      throw badFile(
        path,
        field,
        `needs ${length} bytes from byte ${this.position} on, and the file has ${bytes}. It is truncated or damaged; fetch it again`,
      )
    if (this.position + length > maxHeaderBytes)
      throw badFile(path, field, `makes the header longer than ${maxHeaderBytes} bytes, which is the most that is read`)
  }

  /** The next bytes, over memory that is used again by the next call. */
  take(length: number, field: string): Buffer {
    this.require(length, field)
    if (length > this.#window.length - this.#taken) {
      const { position } = this
      const size = Math.max(length, Math.min(windowBytes, this.source.bytes - position))
      const window = Buffer.allocUnsafeSlow(size)
      this.source.readAt(window, position)
      this.#window = window
      this.#start = position
      this.#taken = 0
    }
    const bytes = this.#window.subarray(this.#taken, this.#taken + length)
    this.#taken += length
    return bytes
  }

  uint32(field: string): number {
    return this.take(4, field).readUInt32LE()
  }

  /** @throws SecateurError where a count or size is so large that no number of JavaScript holds it */
  size(field: string): number {
    const value = this.take(8, field).readBigUInt64LE()
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw badFile(this.source.path, field, `has the count or size ${value}, which no file holds. The file is damaged`)
    return Number(value)
  }

  /** A length and as many bytes of UTF-8. */
  text(field: string): string {
    const bytes = this.take(this.size(field), field)
    if (!isUtf8(bytes)) throw badFile(this.source.path, field, 'is not UTF-8 text')
    return bytes.toString('utf8')
  }
}
