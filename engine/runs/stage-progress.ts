import type { JobContext, Stage } from '../contract/index.ts'

/** Tells how far a stage of one or several items is, with the time that is left at its pace so far. */
export class StageProgress {
  readonly #stage: Stage
  readonly #items: readonly string[]
  readonly #emit: JobContext['emit']
  readonly #started = performance.now()
  /** Where the stage stood when its pace was first taken: items that were over before count for nothing. */
  #first: number | null = null

  constructor(stage: Stage, emit: JobContext['emit'], items: readonly string[] = []) {
    this.#stage = stage
    this.#emit = emit
    this.#items = items
  }

  /** @param total 0 where it is not known */
  report(done: number, total: number, item?: string): void {
    const parts = item === undefined ? undefined : { done: this.#items.indexOf(item), total: this.#items.length }
    const whole = total > 0 ? (parts ? (parts.done + done / total) / parts.total : done / total) : 0
    this.#first ??= parts ? parts.done / parts.total : 0
    const seconds = (performance.now() - this.#started) / 1000
    const share = whole - this.#first
    this.#emit({
      type: 'progress',
      stage: this.#stage,
      done,
      total,
      ...(item === undefined ? {} : { item }),
      ...(parts ? { parts } : {}),
      // The first moments say too little of the pace.
      ...(share > 0 && seconds > 0.5 ? { secondsLeft: (seconds * (1 - whole)) / share } : {}),
    })
  }
}
