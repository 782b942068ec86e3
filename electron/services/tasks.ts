import type { WorkControl } from '../../engine/shared/work-control.ts'
import type { BackgroundTask } from '../contract/index.ts'
import { ProblemError, toProblem, wasAborted } from '../problems.ts'
import type { Emit } from './events.ts'
import type { Handlers } from './handlers.ts'

/** Finished tasks that are still listed. */
const remembered = 20
/** Milliseconds between two messages of progress. */
const period = 200

/** Work outside runs that takes a while: each has progress, time left and a way to cancel it. */
export class Tasks {
  readonly #emit: Emit
  readonly #tasks = new Map<number, { task: BackgroundTask; abort: AbortController }>()
  readonly #settled = new Set<Promise<unknown>>()
  #last = 0

  constructor(emit: Emit) {
    this.#emit = emit
  }

  readonly handlers: Handlers<'tasks.list' | 'tasks.cancel'> = {
    'tasks.list': () => [...this.#tasks.values()].map(({ task }) => ({ ...task })),
    'tasks.cancel': ({ id }) => {
      const entry = this.#tasks.get(id)
      if (!entry) throw new ProblemError('not-found', `There is no task ${id}.`)
      entry.abort.abort()
      return undefined
    },
  }

  /** Runs a task. It rejects with what the work throws; a cancelled one with a problem of kind `interrupted`. */
  async run<T>(
    about: Pick<BackgroundTask, 'kind' | 'title' | 'subject'>,
    work: (control: WorkControl) => Promise<T>,
  ): Promise<T> {
    const id = ++this.#last
    const task: BackgroundTask = { id, ...about, done: 0, total: 0, state: 'running', secondsLeft: null, problem: null }
    const abort = new AbortController()
    this.#tasks.set(id, { task, abort })
    const emitTask = () => this.#emit('task', { ...task })
    emitTask()
    let started = performance.now()
    let lastEmitted = started
    const progress = (done: number, total: number) => {
      const now = performance.now()
      // Whatever was waited for before the first part says nothing of the pace.
      if (done === 0) started = now
      task.done = done
      task.total = total
      task.secondsLeft = done > 0 && total > 0 ? (((now - started) / 1000) * (total - done)) / done : null
      if (now - lastEmitted < period) return
      lastEmitted = now
      emitTask()
    }
    const working = work({ signal: abort.signal, progress })
    const settled = working.catch(() => {})
    this.#settled.add(settled)
    try {
      const result = await working
      task.state = 'done'
      task.done = task.total
      return result
    } catch (error) {
      const cancelled = abort.signal.aborted || wasAborted(error)
      task.state = cancelled ? 'cancelled' : 'failed'
      if (cancelled) throw new ProblemError('interrupted', `${about.title}: cancelled.`)
      task.problem = toProblem(error).message
      throw error
    } finally {
      this.#settled.delete(settled)
      task.secondsLeft = null
      emitTask()
      this.#forget()
    }
  }

  /** Cancels everything and waits until it has ended. */
  async close(): Promise<void> {
    for (const { abort } of this.#tasks.values()) abort.abort()
    await Promise.all(this.#settled)
  }

  #forget(): void {
    const ended = [...this.#tasks.values()].filter(({ task }) => task.state !== 'running')
    for (const { task } of ended.slice(0, Math.max(0, ended.length - remembered))) this.#tasks.delete(task.id)
  }
}
