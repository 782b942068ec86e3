/** What waits for a device, or has it. */
interface Waiter {
  grant: (release: () => void) => void
}

/** The wait of a question for its device. */
export interface Turn {
  /** Resolves with what gives the device back. */
  granted: Promise<() => void>
  /** The run that has the device meanwhile; null where another question has it, undefined once it waits no more. */
  run: () => number | null | undefined
  /** Goes on without the device being free. */
  now: () => void
}

/**
 * Gives each device to one run or one question at a time. Neither kind starves: when a run ends, the questions that wait then
 * are answered, and after these the next run of the queue starts before questions that came meanwhile.
 * A measurement of speed takes its turn as a question does.
 */
export class DeviceTurns {
  /** Which run has a device, by the device; null for a question. */
  readonly #holders = new Map<string, number | null>()
  readonly #waiting = new Map<string, Waiter[]>()
  /** Questions that are still answered before the next run. */
  readonly #round = new Map<string, number>()
  /** Starts what waits in the queue of runs, and resolves once it has tried. */
  startRuns: () => Promise<void> = async () => {}
  /** Called before a run starts, so that nothing holds memory for nothing. */
  beforeRun: () => Promise<void> = async () => {}
  /** Bytes that `beforeRun` gives back. */
  releasableBytes: () => number = () => 0

  /** @returns whether the run has got it */
  takeForRun(device: string, run: number): boolean {
    if (this.#holders.has(device)) return false
    this.#holders.set(device, run)
    return true
  }

  freeByRun(device: string): void {
    this.#holders.delete(device)
    this.#round.set(device, this.#waiting.get(device)?.length ?? 0)
    this.#next(device)
  }

  /** Waits for a device until the signal says otherwise. */
  takeForQuestion(device: string, signal: AbortSignal): Turn {
    const waiting = this.#waiting.get(device) ?? []
    this.#waiting.set(device, waiting)
    const { promise, resolve, reject } = Promise.withResolvers<() => void>()
    const waiter: Waiter = { grant: resolve }
    const leave = () => {
      const at = waiting.indexOf(waiter)
      if (at >= 0) waiting.splice(at, 1)
    }
    signal.addEventListener(
      'abort',
      () => {
        leave()
        reject(signal.reason as Error)
      },
      { once: true },
    )
    if (this.#holders.has(device)) waiting.push(waiter)
    else this.#give(device, waiter)
    return {
      granted: promise,
      run: () => (waiting.includes(waiter) ? (this.#holders.get(device) ?? null) : undefined),
      now: () => {
        if (!waiting.includes(waiter)) return
        leave()
        resolve(() => {})
      },
    }
  }

  #give(device: string, waiter: Waiter): void {
    this.#holders.set(device, null)
    let held = true
    waiter.grant(() => {
      if (!held) return
      held = false
      this.#holders.delete(device)
      this.#next(device)
    })
  }

  /** Whose turn it is on a device that has become free. */
  #next(device: string): void {
    const left = this.#round.get(device) ?? 0
    const waiter = left > 0 ? this.#waiting.get(device)?.shift() : undefined
    if (waiter) {
      this.#round.set(device, left - 1)
      this.#give(device, waiter)
      return
    }
    void this.startRuns().then(() => {
      const waiting = this.#waiting.get(device) ?? []
      if (waiting.length === 0 || this.#holders.has(device)) return
      this.#round.set(device, waiting.length)
      this.#next(device)
    })
  }
}
