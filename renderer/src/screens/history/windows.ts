/**
 * The rows of a long table that the services hold, fetched in windows around what is in view. Rows that were seen once
 * stay until too many are held, so that scrolling back shows them at once; those next to the view are fetched ahead.
 */
export class Windows<Row> {
  readonly #load: (offset: number, limit: number) => Promise<{ total: number; rows: readonly Row[] }>
  readonly #changed: () => void
  readonly #size: number
  readonly #held: number
  /** By number of the window, in the order of their last use. */
  readonly #windows = new Map<number, readonly Row[]>()
  readonly #loading = new Map<number, Promise<void>>()
  /** Counts what was asked for: answers to an older question are dropped. */
  #question = 0
  total: number | null = null
  problem: unknown = null

  constructor(
    load: (offset: number, limit: number) => Promise<{ total: number; rows: readonly Row[] }>,
    changed: () => void,
    { size = 100, held = 60 } = {},
  ) {
    this.#load = load
    this.#changed = changed
    this.#size = size
    this.#held = held
  }

  row(index: number): Row | undefined {
    return this.#windows.get(Math.floor(index / this.#size))?.[index % this.#size]
  }

  /** Makes sure of the rows from `first` to `last`, and fetches a window to either side ahead. */
  async show(first: number, last: number): Promise<void> {
    const from = Math.max(0, Math.floor(first / this.#size))
    const end = this.total === null ? from : Math.max(0, Math.ceil(this.total / this.#size) - 1)
    const to = Math.min(end, Math.floor(Math.max(first, last) / this.#size))
    const wanted = range(from, to).map((window) => this.#need(window))
    const ahead = [to + 1, from - 1].filter((window) => window >= 0 && window <= end)
    await Promise.all([...wanted, ...ahead.map((window) => this.#need(window))])
  }

  /** Asks for what is in view anew, which stays there until the answer comes; everything else is forgotten. */
  async reload(first: number, last: number): Promise<void> {
    this.#question++
    this.#loading.clear()
    const from = Math.max(0, Math.floor(first / this.#size))
    const to = Math.floor(Math.max(first, last) / this.#size)
    for (const window of this.#windows.keys()) if (window < from || window > to) this.#windows.delete(window)
    await Promise.all(range(from, to).map((window) => this.#fetch(window)))
  }

  /** Fetches the rest of the table, one window after the other, as far as it can be held: then no scrolling waits. */
  async fill(): Promise<void> {
    const question = this.#question
    const windows = Math.min(this.#held, Math.ceil((this.total ?? 0) / this.#size))
    for (let window = 0; window < windows; window++) {
      if (question !== this.#question || this.problem !== null) return
      if (!this.#windows.has(window)) await (this.#loading.get(window) ?? this.#fetch(window))
    }
  }

  /** Drops every answer that is still on its way. */
  close(): void {
    this.#question++
    this.#loading.clear()
  }

  #need(window: number): Promise<void> {
    const rows = this.#windows.get(window)
    if (!rows) return this.#loading.get(window) ?? this.#fetch(window)
    this.#windows.delete(window)
    this.#windows.set(window, rows)
    return Promise.resolve()
  }

  #fetch(window: number): Promise<void> {
    const question = this.#question
    const asked = this.#load(window * this.#size, this.#size)
      .then(({ total, rows }) => {
        if (question !== this.#question) return
        this.problem = null
        this.total = total
        this.#windows.delete(window)
        this.#windows.set(window, rows)
        this.#forget()
      })
      .catch((error: unknown) => {
        if (question === this.#question) this.problem = error
      })
      .finally(() => {
        if (question !== this.#question) return
        this.#loading.delete(window)
        this.#changed()
      })
    this.#loading.set(window, asked)
    return asked
  }

  #forget(): void {
    for (const window of this.#windows.keys()) {
      if (this.#windows.size <= this.#held) return
      this.#windows.delete(window)
    }
  }
}

const range = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)
