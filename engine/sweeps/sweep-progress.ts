import type { EngineEvent, JobContext } from '../contract/index.ts'
import { mean } from '../evaluation/statistics.ts'

/** Milliseconds between two reports that only say that time has passed. */
const period = 500

interface Active {
  started: number
  /** Seconds that it has left as a whole, and when it said so. */
  left: { seconds: number; told: number } | null
}

/**
 * Tells how far a sweep is. A run takes as long as it says itself, and until it does, and while it waits, as long as those
 * before it did on average.
 */
export class SweepProgress {
  readonly #emit: JobContext['emit']
  readonly #runs: number
  readonly #parallel: number
  readonly #active = new Map<string, Active>()
  readonly #durations: number[] = []
  #done = 0
  #told = -Infinity

  constructor(runs: number, parallel: number, emit: JobContext['emit']) {
    this.#runs = runs
    this.#parallel = parallel
    this.#emit = emit
  }

  /** Tells that nothing has begun yet. */
  wait(): void {
    this.#tell()
  }

  begin(name: string): void {
    this.#active.set(name, { started: performance.now(), left: null })
    this.#tell()
  }

  /** What a run's process said. */
  hear(name: string, event: EngineEvent): void {
    const active = this.#active.get(name)
    if (!active || event.type !== 'overall') return
    const now = performance.now()
    const { secondsLeft } = event.overall
    active.left = secondsLeft === null ? null : { seconds: secondsLeft, told: now }
    if (now - this.#told > period) this.#tell()
  }

  /** @param isWhole false for a run that was over or half done before, or failed: its time says nothing of the others'. */
  end(name: string, isWhole: boolean): void {
    const active = this.#active.get(name)
    this.#active.delete(name)
    if (active && isWhole) this.#durations.push((performance.now() - active.started) / 1000)
    this.#done++
    this.#tell()
  }

  #tell(): void {
    const now = performance.now()
    this.#told = now
    const names = [...this.#active.keys()]
    const fractions = names.map((name) => {
      const whole = this.#durationOf(name)
      const spent = (now - this.#active.get(name)!.started) / 1000
      return whole === null ? 0 : Math.min(0.99, spent / whole)
    })
    const left = this.#secondsLeft(now)
    this.#emit({
      type: 'progress',
      stage: 'sweeping',
      done: fractions.reduce((sum, fraction) => sum + fraction, 0),
      total: 1,
      ...(names.length > 0 ? { item: names.join(', ') } : {}),
      parts: { done: this.#done, total: this.#runs },
      ...(left === null ? {} : { secondsLeft: left }),
    })
  }

  /** Seconds that a run takes in all; null where nothing tells yet. */
  #durationOf(name: string): number | null {
    const { started, left } = this.#active.get(name)!
    if (left) return (left.told - started) / 1000 + left.seconds
    return this.#durations.length > 0 ? mean(this.#durations) : null
  }

  #secondsLeft(now: number): number | null {
    const wholes = [...this.#active.keys()].flatMap((name) => this.#durationOf(name) ?? [])
    const usual = this.#durations.length > 0 ? mean(this.#durations) : wholes.length > 0 ? mean(wholes) : null
    const waiting = this.#runs - this.#done - this.#active.size
    if (usual === null) return null
    const running = [...this.#active].map(([name, { started }]) =>
      Math.max(0, (this.#durationOf(name) ?? usual) - (now - started) / 1000),
    )
    const sum = running.reduce((total, seconds) => total + seconds, waiting * usual)
    return sum / Math.max(1, Math.min(this.#parallel, waiting + running.length))
  }
}
