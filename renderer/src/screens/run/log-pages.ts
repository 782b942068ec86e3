import type { LogLine, Request } from '../../../../electron/contract/index.ts'
import { merged } from './merged.ts'

export type LogLevel = 'all' | 'warnings'

/** What of a log is on the page. */
export interface LogShown {
  readonly lines: readonly LogLine[]
  /** Whether there are no earlier lines. */
  readonly begins: boolean
  readonly level: LogLevel
}
export const nothingShown: LogShown = { lines: [], begins: true, level: 'all' }

/** Log lines that are read at once, and kept on the page while new ones come; older ones are read again when asked for. */
const page = 200
const longest = 5000

/** The newest lines of a log, or of its warnings and errors alone, and earlier ones when they are asked for. */
export class LogPages {
  shown = nothingShown
  readonly #ask: (wanted: Omit<Request<'runs.log'>, 'id'>) => Promise<LogLine[]>
  readonly #tell: (shown: LogShown) => void
  /** Lines that come while others are being read; null while none are. */
  #came: LogLine[] | null = null
  /** Counts the readings of the newest lines: what an older one answers is dropped. */
  #latest = 0

  /** @param tell hears of whatever changes */
  constructor(ask: (wanted: Omit<Request<'runs.log'>, 'id'>) => Promise<LogLine[]>, tell: (shown: LogShown) => void) {
    this.#ask = ask
    this.#tell = tell
  }

  /** Reads the newest lines. */
  async read(level = this.shown.level): Promise<void> {
    const mine = ++this.#latest
    const came: LogLine[] = []
    this.#came = came
    try {
      const lines = await this.#ask({ level, limit: page })
      if (mine !== this.#latest) return
      this.#change({ level, lines, begins: lines.length < page })
    } finally {
      if (this.#came === came) this.#came = null
    }
    this.add(came)
  }

  /** Reads the page before what is there. */
  async readEarlier(): Promise<void> {
    const {
      level,
      begins,
      lines: [first],
    } = this.shown
    if (!first || begins) return
    const earlier = await this.#ask({ level, before: { time: first.time, id: first.id }, limit: page })
    const { shown } = this
    // Another level was chosen, or these lines were read, meanwhile.
    if (shown.level !== level || shown.lines[0]?.id !== first.id) return
    this.#change({ lines: [...earlier, ...shown.lines], begins: earlier.length < page })
  }

  /** Takes in lines that were just told. */
  add(lines: readonly LogLine[]): void {
    this.#came?.push(...lines)
    const { shown } = this
    const fitting = shown.level === 'all' ? lines : lines.filter(({ level }) => level !== 'info')
    const all = merged(shown.lines, fitting, ({ id }) => id)
    this.#change({ lines: all.slice(-longest), begins: shown.begins && all.length <= longest })
  }

  #change(changes: Partial<LogShown>): void {
    this.shown = { ...this.shown, ...changes }
    this.#tell(this.shown)
  }
}
