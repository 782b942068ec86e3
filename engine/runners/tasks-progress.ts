import type { EngineEvent } from '../contract/index.ts'
import { mean } from '../evaluation/statistics.ts'
import { sum } from '../shared/sum.ts'

/** Milliseconds between two reports that only say that time has passed. */
const period = 500

interface Active {
  started: number
  /** Seconds that it has left as a whole, and when it said so. */
  left: { seconds: number; told: number } | null
}

/** How far tasks are together. */
export interface TasksState {
  /** Names of those that are at work. */
  active: string[]
  /** How many are over. */
  done: number
  /** Sizes of those that are over, and what is done of those that are at work, in their sizes too. */
  over: number
  underWay: number
  /** Sizes of all. */
  all: number
  /** Of all tasks; null while nothing tells. */
  secondsLeft: number | null
}

/**
 * Tells how far tasks are. A task takes as long as it says itself, and until it does, and while it waits, as long as those
 * before it did on average, for its size.
 */
export class TasksProgress {
  readonly #sizes: ReadonlyMap<string, number>
  readonly #all: number
  readonly #parallel: number
  readonly #tell: (state: TasksState) => void
  readonly #active = new Map<string, Active>()
  /** Seconds that a task of size 1 would have taken. */
  readonly #durations: number[] = []
  #done = 0
  #over = 0
  #told = -Infinity

  /** @param sizes of the tasks, by their names: how long they take beside one another */
  constructor(
    { sizes, parallel }: { sizes: ReadonlyMap<string, number>; parallel: number },
    tell: (state: TasksState) => void,
  ) {
    this.#sizes = sizes
    this.#all = sum([...sizes.values()])
    this.#parallel = parallel
    this.#tell = tell
  }

  /** Tells that nothing has begun yet. */
  wait(): void {
    this.#report()
  }

  begin(name: string): void {
    this.#active.set(name, { started: performance.now(), left: null })
    this.#report()
  }

  /** What a task's process said. */
  hear(name: string, event: EngineEvent): void {
    const active = this.#active.get(name)
    if (!active || event.type !== 'overall') return
    const now = performance.now()
    const { secondsLeft } = event.overall
    active.left = secondsLeft === null ? null : { seconds: secondsLeft, told: now }
    if (now - this.#told > period) this.#report()
  }

  /** @param isWhole false for a task that was over or half done before, or failed: its time says nothing of the others'. */
  end(name: string, isWhole: boolean): void {
    const active = this.#active.get(name)
    this.#active.delete(name)
    if (active && isWhole) this.#durations.push((performance.now() - active.started) / 1000 / this.#sizeOf(name))
    this.#done++
    this.#over += this.#sizeOf(name)
    this.#report()
  }

  #sizeOf(name: string): number {
    return this.#sizes.get(name) ?? 1
  }

  #report(): void {
    const now = performance.now()
    this.#told = now
    const active = [...this.#active.keys()]
    const underWay = active.map((name) => {
      const whole = this.#durationOf(name)
      const spent = (now - this.#active.get(name)!.started) / 1000
      return whole === null ? 0 : this.#sizeOf(name) * Math.min(0.99, spent / whole)
    })
    this.#tell({
      active,
      done: this.#done,
      over: this.#over,
      all: this.#all,
      underWay: sum(underWay),
      secondsLeft: this.#secondsLeft(now),
    })
  }

  /** Seconds that a task takes in all; null where nothing tells yet. */
  #durationOf(name: string): number | null {
    const { started, left } = this.#active.get(name)!
    if (left) return (left.told - started) / 1000 + left.seconds
    return this.#durations.length > 0 ? mean(this.#durations) * this.#sizeOf(name) : null
  }

  #secondsLeft(now: number): number | null {
    const active = [...this.#active.keys()]
    const wholes = active.flatMap((name) => {
      const whole = this.#durationOf(name)
      return whole === null ? [] : [whole / this.#sizeOf(name)]
    })
    const usual = this.#durations.length > 0 ? mean(this.#durations) : wholes.length > 0 ? mean(wholes) : null
    if (usual === null) return null
    const begun = this.#over + sum(active.map((name) => this.#sizeOf(name)))
    const running = [...this.#active].map(([name, { started }]) =>
      Math.max(0, (this.#durationOf(name) ?? usual * this.#sizeOf(name)) - (now - started) / 1000),
    )
    const left = sum(running) + Math.max(0, this.#all - begun) * usual
    const waiting = this.#sizes.size - this.#done - active.length
    return left / Math.max(1, Math.min(this.#parallel, waiting + running.length))
  }
}
