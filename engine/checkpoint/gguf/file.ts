import { closeSync, fstatSync, readSync } from 'node:fs'
import { badFile } from '../../shared/errors.ts'
import { openFile } from '../../shared/open-file.ts'
import { explained } from '../../shared/system-errors.ts'
import type { ByteSource } from './cursor.ts'
import { type GgufEntry, readGgufHeader } from './header.ts'
import type { KeyReader } from './key-reader.ts'
import { ggufMagic } from './types.ts'

/** Node reads at most 2 GiB at once. */
const maxReadBytes = 1 << 30

/** A GGUF file whose header has been read and checked; tensors are read by range, when asked for, as they are stored. */
export class GgufFile implements ByteSource {
  readonly path: string
  /** Bytes of the whole file. */
  readonly bytes: number
  readonly keys: KeyReader
  readonly tensors: ReadonlyMap<string, GgufEntry>
  #descriptor: number | null

  /** See `readGgufHeader`; no file stays open after an error. */
  constructor(path: string) {
    this.path = path
    this.#descriptor = openFile(path)
    try {
      this.bytes = fstatSync(this.#descriptor).size
      const { keys, tensors } = readGgufHeader(this)
      this.keys = keys
      this.tensors = tensors
    } catch (error) {
      this.close()
      throw explained(path, error)
    }
  }

  readAt(target: Uint8Array, position: number): void {
    if (this.#descriptor === null) throw new Error(`${this.path} has been closed`)
    for (let done = 0; done < target.length;) {
      const length = Math.min(maxReadBytes, target.length - done)
      const read = readSync(this.#descriptor, target, done, length, position + done)
      if (read === 0)
        throw badFile(this.path, undefined, `became shorter while it was read (at byte ${position + done})`)
      done += read
    }
  }

  close(): void {
    if (this.#descriptor === null) return
    closeSync(this.#descriptor)
    this.#descriptor = null
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Whether a path is a file that is GGUF by its first bytes, or by its name. Ollama's files have no name that says so. */
export function isGgufFile(path: string): boolean {
  let descriptor: number | undefined
  try {
    descriptor = openFile(path)
    const start = Buffer.alloc(ggufMagic.length)
    const read = readSync(descriptor, start, 0, start.length, 0)
    return /\.gguf$/i.test(path) || (read === start.length && start.toString('latin1') === ggufMagic)
  } catch {
    // Whoever opens it says why it cannot be read.
    return false
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}
