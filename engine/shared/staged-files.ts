import { closeSync, fsyncSync, rmSync, writeSync } from 'node:fs'
import { resolve } from 'node:path'
import { moveIntoPlace, refuseExistingFile } from './files.ts'
import { openToWrite } from './open-file.ts'
import { explained } from './system-errors.ts'

interface StagedFile {
  final: string
  temporary: string
  /** Null once the file is whole. */
  descriptor: number | null
}

/**
 * Files that grow beside their final names, and take these once all of them are whole: whoever is stopped in between leaves
 * nothing behind. A file that lay there before is refused, unless it may be replaced, and stays as it was until then.
 */
export class StagedFiles implements Disposable {
  readonly #replaces: (path: string) => boolean
  readonly #files = new Map<string, StagedFile>()

  /** @param replaces whether a file that is there already may be replaced */
  constructor(replaces: (path: string) => boolean = () => false) {
    this.#replaces = replaces
  }

  /** Makes a file, which stays empty unless something is added. @throws SecateurError where it cannot be made */
  begin(path: string): void {
    this.#staged(path)
  }

  /** Adds to a file, and begins it where this is the first of it. */
  write(path: string, data: string | Uint8Array): void {
    const { final, descriptor } = this.#staged(path)
    const bytes = typeof data === 'string' ? Buffer.from(data) : data
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(descriptor!, bytes, at)
    } catch (error) {
      throw explained(final, error)
    }
  }

  /** Gives all files their final names. @throws SecateurError where a file has come to lie there meanwhile */
  commit(): void {
    const files = [...this.#files.values()]
    for (const { final } of files) this.#refuseExisting(final)
    for (const file of files) {
      try {
        fsyncSync(file.descriptor!)
        close(file)
        this.#refuseExisting(file.final)
        moveIntoPlace(file.temporary, file.final)
        this.#files.delete(file.final)
      } catch (error) {
        throw explained(file.final, error)
      }
    }
  }

  /** Removes what has not got its final name. */
  [Symbol.dispose](): void {
    for (const file of this.#files.values()) {
      close(file)
      rmSync(file.temporary, { force: true })
    }
    this.#files.clear()
  }

  #refuseExisting(final: string): void {
    if (!this.#replaces(final)) refuseExistingFile(final)
  }

  #staged(path: string): StagedFile {
    const final = resolve(path)
    const known = this.#files.get(final)
    if (known) return known
    // As leftovers of a run that was killed are called.
    const temporary = `${final}.${process.pid}.partial`
    try {
      const file = { final, temporary, descriptor: openToWrite(temporary, 'w') }
      this.#files.set(final, file)
      return file
    } catch (error) {
      throw explained(final, error)
    }
  }
}

function close(file: StagedFile): void {
  if (file.descriptor !== null) closeSync(file.descriptor)
  file.descriptor = null
}
