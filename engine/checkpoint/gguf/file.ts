import { closeSync, readSync } from 'node:fs'
import { openFile } from '../../shared/open-file.ts'
import { explained } from '../../shared/system-errors.ts'
import { PlacedFile } from '../placed-file.ts'
import type { ByteSource } from './cursor.ts'
import { type GgufEntry, readGgufHeader } from './header.ts'
import type { KeyReader } from './key-reader.ts'
import { ggufMagic } from './types.ts'

/** A GGUF file whose header has been read and checked; tensors are read by range, when asked for, as they are stored. */
export class GgufFile implements ByteSource {
  readonly path: string
  /** Bytes of the whole file. */
  readonly bytes: number
  readonly keys: KeyReader
  readonly tensors: ReadonlyMap<string, GgufEntry>
  readonly #file: PlacedFile

  /** See `readGgufHeader`; no file stays open after an error. */
  constructor(path: string) {
    this.path = path
    this.#file = PlacedFile.open(path)
    try {
      this.bytes = this.#file.size
      const { keys, tensors } = readGgufHeader(this)
      this.keys = keys
      this.tensors = tensors
    } catch (error) {
      this.close()
      throw explained(path, error)
    }
  }

  readAt(target: Uint8Array, position: number): void {
    this.#file.readAt(target, position)
  }

  close(): void {
    this.#file.close()
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
