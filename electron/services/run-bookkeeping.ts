import { setTimeout as sleep } from 'node:timers/promises'
import { isStorageTrouble, toProblem } from '../problems.ts'
import type { Context } from './context.ts'
import type { Outcome } from './run-outcome.ts'

/** Milliseconds between two tries to write how a run ended. */
const period = 1000

/**
 * Writes down how runs end. A disk that is full for a while delays that, and must not lose it: until it is written, the run
 * is shown as it ended, since no process works on it any more.
 */
export class RunBookkeeping {
  readonly #context: Context
  readonly #announce: (id: number) => void
  readonly #closed = new AbortController()

  /** `announce` tells every listener how a run stands. */
  constructor(context: Context, announce: (id: number) => void) {
    this.#context = context
    this.#announce = announce
  }

  /** The next failure is the last: what is not written then is found in the run's folder when the app starts again. */
  close(): void {
    this.#closed.abort()
  }

  /**
   * Calls `write`, which must bear being called again, until the disk takes what it writes. `shown` is how the run stands
   * meanwhile, where it stands otherwise than the database says.
   *
   * @throws what `write` throws for another reason than the disk
   */
  async write(
    id: number,
    shown: Pick<Outcome, 'state' | 'reason'> | null,
    write: () => void | Promise<void>,
  ): Promise<void> {
    const { runs, emit } = this.#context
    for (let told = false; ; told = true) {
      try {
        await write()
        runs.unwritten.delete(id)
        return
      } catch (error) {
        if (!isStorageTrouble(error)) {
          runs.unwritten.delete(id)
          throw error
        }
        const { message } = toProblem(error)
        const waits = `This could not be written down yet (${message}): it is tried again until it is.`
        const reason = shown?.reason ? `${shown.reason} ${waits}` : waits
        if (shown) runs.unwritten.set(id, { state: shown.state, reason })
        if (!told) {
          emit('notice', { level: 'error', message: `${runs.get(id)?.name ?? id}: ${waits}` })
          this.#announce(id)
        }
        if (this.#closed.signal.aborted) return
        await sleep(period, undefined, { signal: this.#closed.signal }).catch(() => {})
      }
    }
  }
}
