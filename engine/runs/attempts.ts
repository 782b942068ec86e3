import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { attemptsFileSchema, type AttemptsFile } from '../contract/index.ts'
import { readJson, writeJson } from '../shared/files.ts'
import { runFiles } from './run-files.ts'

/** How long a run has taken, over all attempts at it: attempts.json of its folder. */
export class Attempts {
  readonly #file: string
  readonly #earlier: AttemptsFile['attempts']
  readonly #started = new Date().toISOString()
  readonly #began = performance.now()

  /**
   * @param isResumed whether the run goes on; otherwise what the folder says of attempts is forgotten with the next `keep`
   * @throws SecateurError where attempts.json is damaged
   */
  constructor(folder: string, isResumed: boolean) {
    this.#file = join(folder, runFiles.attempts)
    this.#earlier = isResumed && existsSync(this.#file) ? readJson(this.#file, attemptsFileSchema).attempts : []
  }

  /** Writes down how long this attempt has taken: what one that is killed has taken since is not known. */
  keep(): void {
    const now = { started: this.#started, seconds: (performance.now() - this.#began) / 1000 }
    writeJson(this.#file, { version: 1, attempts: [...this.#earlier, now] } satisfies AttemptsFile)
  }

  /**
   * Seconds that the run has taken, earlier attempts with this one.
   *
   * @param started when this one began, by `performance.now()`
   */
  secondsSince(started: number): number {
    return this.#earlier.reduce((sum, { seconds }) => sum + seconds, (performance.now() - started) / 1000)
  }
}
