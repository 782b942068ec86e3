import { closeSync, existsSync, fstatSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { EngineEvent, LogEntry } from '../contract/index.ts'
import { openFile, openToWrite } from '../shared/open-file.ts'
import { linesOf } from './log-lines.ts'
import { runFiles } from './run-files.ts'

/**
 * The log of a run: a line for everything that was decided, with its time. It is kept in the run folder from the moment that
 * the folder is the run's own, with what was said before; attempts follow one another in it.
 */
export class RunLog implements Disposable {
  readonly #emit: (event: EngineEvent) => void
  #waiting: LogEntry[] = []
  #descriptor: number | null = null

  /** @param emit is given every line as it comes */
  constructor(emit: (event: EngineEvent) => void) {
    this.#emit = emit
  }

  hear(event: EngineEvent): void {
    for (const line of linesOf(event)) {
      const entry: LogEntry = { time: Date.now(), ...line }
      if (this.#descriptor === null) this.#waiting.push(entry)
      else this.#write(entry)
      this.#emit({ type: 'logged', line: entry })
    }
  }

  /** @param isNew whether the run begins in the folder: what another run said there is forgotten. */
  keepIn(folder: string, isNew: boolean): void {
    const file = join(folder, runFiles.log)
    if (isNew) rmSync(file, { force: true })
    const isCut = endsWithinLine(file)
    this.#descriptor = openToWrite(file, 'a')
    if (isCut) writeSync(this.#descriptor, '\n')
    for (const entry of this.#waiting) this.#write(entry)
    this.#waiting = []
  }

  #write(entry: LogEntry): void {
    writeSync(this.#descriptor!, `${JSON.stringify(entry)}\n`)
  }

  [Symbol.dispose](): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor)
    this.#descriptor = null
  }
}

/** Whether a crash cut the last line short. */
function endsWithinLine(file: string): boolean {
  if (!existsSync(file)) return false
  const descriptor = openFile(file)
  try {
    const { size } = fstatSync(descriptor)
    const last = Buffer.alloc(1)
    return size > 0 && readSync(descriptor, last, 0, 1, size - 1) === 1 && last[0] !== 10
  } finally {
    closeSync(descriptor)
  }
}
