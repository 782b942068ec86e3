import { Script } from 'node:vm'
import { isMainThread } from 'node:worker_threads'
import { SecateurError } from './errors.ts'

/** Where the script finds its work; symbols of the registry are in no program's way. */
const place = Symbol.for('secateur.interruptible')
let work: (() => unknown) | null = null
Object.defineProperty(globalThis, place, { value: () => work?.(), configurable: true })
const script = new Script(`globalThis[Symbol.for('secateur.interruptible')]()`)

/** Characters from which on a text takes so long that Ctrl-C would have to wait. */
export const longText = 2 ** 16

/**
 * Does work that keeps the thread for long, so that Ctrl-C ends it in the middle. Handlers of signals run only between
 * pieces of work, and encoding a line of 30 MB is one piece of some minutes. They hear of the signal afterwards. One that
 * came before, while the thread was busy, is lost: give the handlers a turn of the event loop first (`setImmediate`).
 *
 * @throws SecateurError of kind `interrupted` where it was ended
 */
export function interruptible<T>(job: () => T): T {
  if (!isMainThread || work !== null) return job()
  work = job
  try {
    return script.runInThisContext({ breakOnSigint: true }) as T
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED')) throw error
    process.emit('SIGINT', 'SIGINT')
    throw new SecateurError('interrupted', 'stopped; nothing was left half written', { cause: error })
  } finally {
    work = null
  }
}

/** `interruptible` for work on a text, where that is long. */
export const onText = <T>(length: number, job: () => T): T => (length < longText ? job() : interruptible(job))
