import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { z } from 'zod'
import { parseJsonOrNull, writeFileAtomically } from '../shared/files.ts'

/** A file of a run folder with a JSON line for a step, or several. Lines are only ever added, step by step. */
export class Journal<Line extends { step: number }> {
  readonly #file: string
  readonly #schema: z.ZodType<Line>
  #descriptor: number | null = null

  constructor(file: string, schema: z.ZodType<Line>) {
    this.#file = file
    this.#schema = schema
  }

  /**
   * Forgets what was written of steps after `step`, which are going to be repeated, and opens the file for what comes.
   * A line that a crash cut short goes too. Returns the lines that stay.
   */
  start(step: number): Line[] {
    this.close()
    const texts = existsSync(this.#file) ? readFileSync(this.#file, 'utf8').split('\n') : []
    const kept = texts.flatMap((text) => {
      const parsed = this.#schema.safeParse(parseJsonOrNull(text))
      return parsed.success && parsed.data.step <= step ? [{ text, line: parsed.data }] : []
    })
    writeFileAtomically(this.#file, kept.map(({ text }) => `${text}\n`).join(''))
    this.#descriptor = openSync(this.#file, 'a')
    return kept.map(({ line }) => line)
  }

  append(line: Line): void {
    if (this.#descriptor !== null) writeSync(this.#descriptor, `${JSON.stringify(line)}\n`)
  }

  sync(): void {
    if (this.#descriptor !== null) fsyncSync(this.#descriptor)
  }

  close(): void {
    if (this.#descriptor === null) return
    this.sync()
    closeSync(this.#descriptor)
    this.#descriptor = null
  }
}
