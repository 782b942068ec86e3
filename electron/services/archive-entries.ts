import { mkdirSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Writable } from 'node:stream'
import { Parser, type ReadEntry } from 'tar'

export const manifestName = 'secateur-run.json'
export const runFolder = 'run'
const mostEntries = 20_000
const mostDepth = 16
const smallBytes = 1 << 16

/** Written by one process for the time that it lives, or half written. */
export const isLeft = (file: string): boolean => file === 'lock.json' || file.includes('.partial')

/**
 * Takes the bytes of an archive and writes its entries into a folder, one after the other, as files that only say what is
 * in them: modes, owners and times of the archive are not taken over. `refuse` is called with what makes the whole archive
 * wrong. Nothing is written any more once `settled` is.
 */
export class ArchiveEntries extends Writable {
  readonly #folder: string
  readonly #parser: Parser
  #entry: ReadEntry | null = null
  #entries = 0
  #writing: Promise<void> = Promise.resolve()

  constructor(folder: string, refuse: (problem: string) => void) {
    super()
    this.#folder = folder
    this.#parser = new Parser({
      strict: true,
      filter: (path, entry) => {
        const type = 'type' in entry ? entry.type : 'File'
        const problem = ++this.#entries > mostEntries ? `has more than ${mostEntries} files` : problemOf(path, type)
        if (problem) refuse(problem)
        return !problem && !isLeft(basename(path))
      },
      onReadEntry: (entry) => {
        this.#writing = this.#writing.then(() => this.#place(entry)).catch((error: Error) => void this.destroy(error))
      },
    })
    this.#parser.on('error', (error: Error) => this.destroy(error))
  }

  override _write(chunk: Buffer, _encoding: string, next: () => void): void {
    if (this.#parser.write(chunk)) next()
    else this.#parser.once('drain', next)
  }

  override _final(next: () => void): void {
    this.#parser.once('end', () => void this.#writing.then(next))
    this.#parser.end()
  }

  override _destroy(error: Error | null, next: (error: Error | null) => void): void {
    // The rest of an entry that is cut short never comes.
    this.#entry?.destroy(error ?? new Error('it ends too early'))
    next(error)
  }

  async settled(): Promise<void> {
    await this.#writing
  }

  async #place(entry: ReadEntry): Promise<void> {
    if (this.destroyed) return
    const path = join(this.#folder, entry.path)
    if (entry.type === 'Directory') {
      mkdirSync(path, { recursive: true })
      entry.resume()
      return
    }
    mkdirSync(dirname(path), { recursive: true })
    this.#entry = entry
    // The stream as a whole tells of it.
    entry.on('error', () => {})
    if (entry.size <= smallBytes) {
      // Of very many small files, most of the time would go into waiting.
      const content = await entry.concat()
      this.#entry = null
      if (!this.destroyed) writeFileSync(path, content, { flag: 'wx', mode: 0o644 })
      return
    }
    const file = await open(path, 'wx', 0o644)
    try {
      // Once it is destroyed an entry neither goes on nor ends.
      if (this.destroyed) return
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        await file.write(chunk)
        if (this.destroyed) return
      }
    } finally {
      this.#entry = null
      await file.close()
    }
  }
}

/** Why an entry makes its archive be refused. */
function problemOf(path: string, type: string): string | null {
  if (type !== 'File' && type !== 'OldFile' && type !== 'ContiguousFile' && type !== 'Directory')
    return `holds ${path}, which is no plain file but a ${type}`
  const parts = path.replace(/\/$/, '').split('/')
  const strange = parts.some((part) => part === '' || part === '.' || part === '..' || /[\\:\0]/.test(part))
  if (strange || path.length > 1000) return `holds the path ${JSON.stringify(path)}, which leads out of the archive`
  if (parts.length > mostDepth) return `holds ${path}, which is nested too deeply`
  if (path !== manifestName && parts[0] !== runFolder) return `holds ${path}, which belongs to no run`
  return null
}
