import type { engine } from '../../../../electron/contract/index.ts'
import { asProblem, call, type Problem } from '../../client/index.ts'
import { app } from '../../state/app.svelte.ts'
import type { JobDraft } from './job.ts'

/** Milliseconds without a further change before the files are read. */
const settle = 700

/**
 * What the data and task files of a job hold, read whole whenever the job has changed; the engine remembers what it has read.
 * The last answer stays until the next one is there. To be made while a component is initialised.
 */
export class LiveCheck {
  answer = $state.raw<engine.DataCheck>()
  /** Why nothing could be checked. */
  problem = $state.raw<Problem>()
  loading = $state(false)
  readonly #task = $derived(app.runningTasks.find(({ kind, subject }) => kind === 'count' && subject === null))
  /** How far the reading is; undefined while nothing is read. */
  readonly progress = $derived(this.loading ? this.#task : undefined)
  /** Whether the job would be refused for its files. */
  readonly refuses = $derived(!this.loading && this.answer !== undefined && this.answer.problems.length > 0)
  /** Counts the jobs asked about: answers to an older one are dropped. */
  #latest = 0
  #waiting: (() => void)[] = []
  /** Moves when the files are to be read again, though the job is as it was. */
  #repeats = $state(0)

  /** @param job null while there is nothing to check */
  constructor(job: () => JobDraft | null) {
    const text = $derived.by(() => {
      const asked = job()
      return asked && JSON.stringify(asked)
    })
    $effect(() => {
      void this.#repeats
      const mine = ++this.#latest
      this.loading = text !== null
      if (text === null) {
        this.answer = undefined
        this.problem = undefined
        return this.#tell()
      }
      const asked = text
      const timer = setTimeout(() => void this.#ask(JSON.parse(asked), mine), settle)
      return () => {
        clearTimeout(timer)
        // Nobody waits for it any more.
        this.cancel()
      }
    })
  }

  /** Resolves when the files of the job as it stands are checked. */
  settled(): Promise<void> {
    return this.loading ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve()
  }

  /** Reads the files again: they may have been corrected. */
  again(): void {
    this.#repeats++
  }

  /** Gives the reading up; it may have ended meanwhile. */
  cancel(): void {
    if (this.#task) void call('tasks.cancel', { id: this.#task.id }).catch(() => {})
  }

  async #ask(job: JobDraft, mine: number): Promise<void> {
    try {
      const answer = await call('runs.check', { job })
      if (mine !== this.#latest) return
      this.answer = answer
      this.problem = undefined
    } catch (error) {
      if (mine !== this.#latest) return
      this.answer = undefined
      this.problem = asProblem(error)
    }
    this.loading = false
    this.#tell()
  }

  #tell(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
