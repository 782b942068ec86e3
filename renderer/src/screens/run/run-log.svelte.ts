import type { LogLine } from '../../../../electron/contract/index.ts'
import { call } from '../../client/index.ts'
import { merged } from './merged.ts'

type LogLevel = 'all' | 'warnings'

/** Log lines that are read at once, and kept on the page while new ones come; older ones are read again when asked for. */
const page = 200
const longest = 5000

/** What a run said: the newest lines of it, or of its warnings and errors alone, and earlier ones when they are asked for. */
export class RunLog {
  lines = $state.raw<readonly LogLine[]>([])
  /** Whether there are no earlier lines. */
  begins = $state(true)
  level = $state<LogLevel>('all')
  readonly #id: number
  /** Lines that come while others are being read; null while none are. */
  #came: LogLine[] | null = null
  /** Counts the readings: what an older one answers is dropped. */
  #latest = 0

  constructor(id: number) {
    this.#id = id
  }

  /** Reads the newest lines. */
  async read(level = this.level): Promise<void> {
    const mine = ++this.#latest
    const came: LogLine[] = []
    this.#came = came
    try {
      const lines = await call('runs.log', { id: this.#id, level, limit: page })
      if (mine !== this.#latest) return
      this.level = level
      this.lines = lines
      this.begins = lines.length < page
    } finally {
      if (this.#came === came) this.#came = null
    }
    this.add(came)
  }

  /** Reads the page before what is there. */
  async readEarlier(): Promise<void> {
    const [first] = this.lines
    if (!first || this.begins) return
    const mine = ++this.#latest
    const { level } = this
    const before = { time: first.time, id: first.id }
    const earlier = await call('runs.log', { id: this.#id, level, before, limit: page })
    if (mine !== this.#latest) return
    this.lines = [...earlier, ...this.lines]
    this.begins = earlier.length < page
  }

  /** Takes in lines that were just told. */
  add(lines: readonly LogLine[]): void {
    this.#came?.push(...lines)
    const fitting = this.level === 'all' ? lines : lines.filter(({ level }) => level !== 'info')
    const all = merged(this.lines, fitting, ({ id }) => id)
    if (all.length > longest) this.begins = false
    this.lines = all.slice(-longest)
  }
}
