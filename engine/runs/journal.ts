import { closeSync, existsSync, fsyncSync, writeSync } from 'node:fs'
import type { z } from 'zod'
import { parseJsonOrNull, replaceFile } from '../shared/files.ts'
import { openToWrite } from '../shared/open-file.ts'
import { readLines } from '../shared/read-lines.ts'

/** Longest line of a journal: a snapshot of a wide and deep model has some hundred kilobytes. */
export const longestLine = 16 * 2 ** 20

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
   * A line that a crash cut short goes too.
   *
   * @param onBadLine hears of lines that are no lines of this journal, which go as well
   * @param onKept sees the lines that stay
   */
  start(step: number, onBadLine: (message: string) => void, onKept?: (line: Line) => void): void {
    this.close()
    const bad: number[] = []
    replaceFile(this.#file, (temporary) => {
      const target = openToWrite(temporary, 'w')
      try {
        if (!existsSync(this.#file)) return
        for (const { number, text, isWhole } of readLines(this.#file, longestLine)) {
          const parsed = this.#schema.safeParse(parseJsonOrNull(text))
          if (parsed.success && parsed.data.step <= step) {
            writeSync(target, `${text}\n`)
            onKept?.(parsed.data)
          } else if (!parsed.success && isWhole) bad.push(number)
        }
      } finally {
        closeSync(target)
      }
    })
    if (bad.length > 0) onBadLine(describeBadLines(this.#file, bad))
    this.#descriptor = openToWrite(this.#file, 'a')
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

const named = 5

/** Says which lines of a journal are no lines of it. */
export function describeBadLines(file: string, numbers: readonly number[]): string {
  const first = numbers.slice(0, named).join(', ')
  const more = numbers.length > named ? ` and ${numbers.length - named} more` : ''
  const which = numbers.length === 1 ? `line ${first} is` : `lines ${first}${more} are`
  return `${file}: ${which} not what a run writes there, and left out; was the file changed, or is the disk damaged?`
}
