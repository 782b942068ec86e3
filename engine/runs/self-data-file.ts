import { closeSync, copyFileSync, existsSync, fsyncSync, mkdirSync, rmSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { hashFile } from '../checkpoint/hash.ts'
import { type SelfDataFile, selfDataFiles, selfDataFileSchema } from '../contract/index.ts'
import type { Row } from '../data/rows.ts'
import { SecateurError } from '../shared/errors.ts'
import { readJson, replaceFile, writeJson } from '../shared/files.ts'
import { openToWrite } from '../shared/open-file.ts'
import { longestLine } from './journal.ts'
import { readLines } from '../shared/read-lines.ts'

/**
 * Rows that a model wrote, in a folder: self-data.jsonl, and self-data.json that says of which key they are and, once all are
 * there, their hash. Nothing in it is believed before that: rows of another key, and rows that a crash cut short, go.
 */
export class SelfDataFiles {
  readonly #folder: string
  readonly #key: string

  constructor(folder: string, key: string) {
    this.#folder = folder
    this.#key = key
  }

  get file(): string {
    return join(this.#folder, selfDataFiles.rows)
  }

  get #facts(): string {
    return join(this.#folder, selfDataFiles.facts)
  }

  /** Whether all rows are there, as they were written. */
  async isWhole(signal: AbortSignal): Promise<boolean> {
    const sha256 = this.#read()?.sha256 ?? null
    return sha256 !== null && existsSync(this.file) && (await hashFile(this.file, signal)) === sha256
  }

  /**
   * Opens the rows to add to them.
   *
   * @param ends how many rows there may be, up to all of them: what lies between was cut short
   * @returns how many there are; 0 where there were none of this key
   */
  open(ends: readonly number[]): number {
    mkdirSync(this.#folder, { recursive: true })
    const known = this.#read()
    const isGrowing = known !== null && known.sha256 === null && existsSync(this.file)
    const { rows, bytes } = isGrowing ? this.#keep(ends) : { rows: 0, bytes: 0 }
    closeSync(openToWrite(this.file, 'a'))
    truncateSync(this.file, bytes)
    this.#write({ rows: ends.at(-1)!, sha256: null })
    return rows
  }

  append(rows: readonly Row[]): void {
    const descriptor = openToWrite(this.file, 'a')
    try {
      writeSync(descriptor, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  }

  /** Says that all rows are there. */
  async finish(signal: AbortSignal): Promise<void> {
    this.#write({ rows: this.#read()!.rows, sha256: await hashFile(this.file, signal) })
  }

  /** Takes over all rows of another folder. */
  async copyFrom(other: SelfDataFiles, signal: AbortSignal): Promise<void> {
    mkdirSync(this.#folder, { recursive: true })
    rmSync(this.#facts, { force: true })
    replaceFile(this.file, (temporary) => copyFileSync(other.file, temporary))
    this.#write({ rows: other.#read()!.rows, sha256: await hashFile(this.file, signal) })
  }

  /** The largest of the ends that the rows reach, and where it lies in the file. */
  #keep(ends: readonly number[]): { rows: number; bytes: number } {
    const kept = { rows: 0, bytes: 0 }
    let bytes = 0
    for (const { number, text, isWhole } of readLines(this.file, longestLine)) {
      if (!isWhole) break
      bytes += Buffer.byteLength(text) + 1
      if (ends.includes(number)) Object.assign(kept, { rows: number, bytes })
    }
    return kept
  }

  /** What self-data.json says; null where it is missing, damaged or of another key. */
  #read(): SelfDataFile | null {
    if (!existsSync(this.#facts)) return null
    try {
      const facts = readJson(this.#facts, selfDataFileSchema)
      return facts.key === this.#key ? facts : null
    } catch (error) {
      if (error instanceof SecateurError) return null
      throw error
    }
  }

  #write(facts: Pick<SelfDataFile, 'rows' | 'sha256'>): void {
    writeJson(this.#facts, { version: 1, key: this.#key, ...facts } satisfies SelfDataFile)
  }
}
