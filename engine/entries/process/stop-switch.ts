import { exitCodes, SecateurError } from '../../shared/errors.ts'

/** Two signals within this time are one: a signal to a whole process group can arrive twice at once. */
const sameMilliseconds = 500

/**
 * SIGHUP is what a terminal that is closed, or a connection that breaks, sends; SIGUSR1 what the scheduler of a cluster does
 * before time is over. Windows knows no such signal.
 */
const signals = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  ...(process.platform === 'win32' ? [] : (['SIGUSR1'] as const)),
] as const

/**
 * What stops a job: SIGINT, SIGTERM, SIGHUP, SIGUSR1, the end of the process that started this one (where the two share a
 * channel), or a call. The first time the job is asked to end with its state saved; the second time, of a signal, the
 * process ends at once.
 */
export class StopSwitch implements Disposable {
  readonly #controller = new AbortController()
  readonly #onStop: (() => void) | undefined
  #asked = 0

  /** @param onStop called when the job is first asked to end */
  constructor(onStop?: () => void) {
    this.#onStop = onStop
    for (const name of signals) process.on(name, this.#signalled)
    process.on('disconnect', this.stop)
    // A parent may have gone while this was loaded.
    if (process.send && !process.connected) this.stop()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  readonly stop = (): void => {
    if (this.signal.aborted) return
    this.#asked = performance.now()
    this.#onStop?.()
    this.#controller.abort(new SecateurError('interrupted', 'stopped; nothing was left half written'))
  }

  readonly #signalled = (): void => {
    if (this.signal.aborted && performance.now() - this.#asked > sameMilliseconds) process.exit(exitCodes.interrupted)
    this.stop()
  };

  [Symbol.dispose](): void {
    for (const name of signals) process.off(name, this.#signalled)
    process.off('disconnect', this.stop)
  }
}
