import type { LogLine } from '../../../../electron/contract/index.ts'
import { call } from '../../client/index.ts'
import { type LogLevel, LogPages, nothingShown } from './log-pages.ts'

/** What a run said: the newest lines of it, or of its warnings and errors alone, and earlier ones when they are asked for. */
export class RunLog {
  #shown = $state.raw(nothingShown)
  readonly #pages: LogPages

  constructor(id: number) {
    this.#pages = new LogPages(
      (wanted) => call('runs.log', { id, ...wanted }),
      (shown) => (this.#shown = shown),
    )
  }

  get lines(): readonly LogLine[] {
    return this.#shown.lines
  }
  /** Whether there are no earlier lines. */
  get begins(): boolean {
    return this.#shown.begins
  }
  get level(): LogLevel {
    return this.#shown.level
  }

  /** Reads the newest lines. */
  read(level?: LogLevel): Promise<void> {
    return this.#pages.read(level)
  }
  /** Reads the page before what is there. */
  readEarlier(): Promise<void> {
    return this.#pages.readEarlier()
  }
  /** Takes in lines that were just told. */
  add(lines: readonly LogLine[]): void {
    this.#pages.add(lines)
  }
}
