import type { engine } from '../../../../electron/contract/index.ts'
import { asProblem, call, type Problem } from '../../client/index.ts'
import type { JobDraft } from './job.ts'

/** Milliseconds without a further change before the job is estimated. */
const settle = 350

/**
 * What a job would need and take, estimated again whenever the job has changed. The last answer stays until the next one
 * is there. To be made while a component is initialised.
 */
export class LiveEstimate {
  answer = $state.raw<engine.JobEstimate>()
  /** The job that it is the answer to. */
  answered = $state.raw<JobDraft>()
  /** Why the engine would refuse the job. */
  problem = $state.raw<Problem>()
  loading = $state(false)
  /** Whether something is wrong with the job, whatever computer it is for. */
  readonly isWrong = $derived(
    !this.loading &&
      this.problem !== undefined &&
      ['bad-setting', 'bad-file', 'unsupported'].includes(this.problem.kind),
  )
  /** What the engine has found wrong with the job as it stands: it would refuse it after the start as well. */
  readonly refuses = $derived(this.isWrong || (!this.loading && this.answer?.fits === false))
  /** Counts the jobs asked about: answers to an older one are dropped. */
  #latest = 0

  /**
   * @param job null while there is nothing to estimate
   * @param folder where the run's folder is made; empty: in the folder of the settings
   */
  constructor(job: () => JobDraft | null, folder: () => string = () => '') {
    const text = $derived.by(() => {
      const asked = job()
      return asked && JSON.stringify({ job: asked, ...(folder() !== '' && { folder: folder() }) })
    })
    $effect(() => {
      const mine = ++this.#latest
      this.loading = text !== null
      if (text === null) return
      const asked = text
      const timer = setTimeout(() => void this.#ask(JSON.parse(asked), mine), settle)
      return () => clearTimeout(timer)
    })
  }

  async #ask(asked: { job: JobDraft; folder?: string }, mine: number): Promise<void> {
    try {
      const answer = await call('runs.estimate', asked)
      if (mine !== this.#latest) return
      this.answer = answer
      this.answered = asked.job
      this.problem = undefined
    } catch (error) {
      if (mine === this.#latest) this.problem = asProblem(error)
    }
    if (mine === this.#latest) this.loading = false
  }
}
