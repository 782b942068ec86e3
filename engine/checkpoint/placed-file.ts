import { closeSync, fstatSync, ftruncateSync, readSync, writeSync } from 'node:fs'
import { badFile } from '../shared/errors.ts'
import { openFile, openToWrite } from '../shared/open-file.ts'

/** Node reads and writes at most 2 GiB at once. */
const mostAtOnce = 1 << 30

/** An open file that is read, or written, at any place. */
export class PlacedFile implements Disposable {
  readonly path: string
  #descriptor: number | null

  private constructor(path: string, descriptor: number) {
    this.path = path
    this.#descriptor = descriptor
  }

  /** @throws SecateurError as `openFile` does */
  static open(path: string): PlacedFile {
    return new PlacedFile(path, openFile(path))
  }

  /** A new file for writing; one that is there is emptied. */
  static create(path: string): PlacedFile {
    return new PlacedFile(path, openToWrite(path, 'w'))
  }

  get #opened(): number {
    if (this.#descriptor === null) throw new Error(`${this.path} has been closed`)
    return this.#descriptor
  }

  /** Bytes of the whole file. */
  get size(): number {
    return fstatSync(this.#opened).size
  }

  /** Gives the file a size, before it is written at its places. */
  resize(bytes: number): void {
    ftruncateSync(this.#opened, bytes)
  }

  /** Fills `target`. @throws SecateurError where the file ends before that */
  readAt(target: Uint8Array, position: number): void {
    for (let done = 0; done < target.length;) {
      const length = Math.min(mostAtOnce, target.length - done)
      const read = readSync(this.#opened, target, done, length, position + done)
      if (read === 0)
        throw badFile(this.path, undefined, `became shorter while it was read (at byte ${position + done})`)
      done += read
    }
  }

  writeAt(data: Uint8Array, position: number): void {
    for (let done = 0; done < data.length;) {
      const length = Math.min(mostAtOnce, data.length - done)
      done += writeSync(this.#opened, data, done, length, position + done)
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
