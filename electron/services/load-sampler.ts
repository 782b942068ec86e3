import type { Context } from './context.ts'
import { SystemLoad } from './system-load.ts'

/** Milliseconds between two looks at how busy the computer is, and until the first one: short runs get a curve too. */
const period = 5000
const first = 1000

/** Writes down how busy the computer is while runs go on. */
export class LoadSampler {
  readonly #context: Context
  /** Runs that have a process. */
  readonly #running: () => number[]
  #load: SystemLoad | null = null
  #timer: NodeJS.Timeout | undefined
  #looking = false

  constructor(context: Context, running: () => number[]) {
    this.#context = context
    this.#running = running
  }

  /** Begins with the first run; ends by itself once there is none. */
  start(): void {
    if (this.#timer !== undefined) return
    this.#load = new SystemLoad()
    this.#wait(first)
  }

  #wait(milliseconds: number): void {
    this.#timer = setTimeout(() => {
      if (this.#running().length === 0) return this.stop()
      if (!this.#looking) this.#context.inBackground(this.#look())
      this.#wait(period)
    }, milliseconds)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  async #look(): Promise<void> {
    this.#looking = true
    try {
      const point = await this.#load!.now()
      const { runs, emit } = this.#context
      for (const id of this.#running()) {
        runs.load.add(id, point)
        emit('load', { id, point })
      }
    } catch (error) {
      // On a full disk the run matters, and this does not.
      console.error('how busy the computer is could not be written down', error)
    } finally {
      this.#looking = false
    }
  }
}
