import { realpath } from 'node:fs/promises'
import type { Job, SweepState } from '../../engine/contract/index.ts'
import type { RunRow } from '../database/runs.ts'
import { toProblem, wasAborted } from '../problems.ts'
import type { Context } from './context.ts'
import type { Library } from './library.ts'
import { enterFolder, isRunFolder, settleFromFolder } from './run-folders.ts'
import { noteInLog } from './run-log.ts'
import { initialProgress } from './run-progress.ts'
import { RunRecorder } from './run-recorder.ts'

type SweepRun = SweepState['runs'][number]

/** Milliseconds between two looks at the folder of a sweep. */
const period = 2000

/** A run of the sweep in the history. */
interface Entered {
  id: number
  recorder: RunRecorder
  /** As it was shown last. */
  state: SweepRun['state'] | null
}

/**
 * Follows a sweep on a cluster through its folder: its runs enter the history as they are made there, and their curves and
 * states follow what nodes write.
 */
class SweepFollower {
  readonly #context: Context
  readonly #library: Library
  readonly #sweep: RunRow
  readonly #announce: (id: number) => void
  readonly #entered = new Map<string, Entered>()
  /** Runs of which nothing new comes: done, or removed by the user. */
  readonly #over = new Set<string>()
  readonly #timer: NodeJS.Timeout
  #looking: Promise<void> | null = null
  #told = ''

  /** @param announce tells every listener how a run stands */
  constructor(context: Context, library: Library, sweep: RunRow, announce: (id: number) => void) {
    this.#context = context
    this.#library = library
    this.#sweep = sweep
    this.#announce = announce
    this.#timer = setInterval(() => {
      this.#looking ??= this.#tryToLook().finally(() => (this.#looking = null))
    }, period)
  }

  /** Looks a last time, and leaves what is not over as interrupted. @param reason why nothing more comes of it */
  async close(reason: string): Promise<void> {
    clearInterval(this.#timer)
    await this.#looking
    await this.#tryToLook()
    for (const [name, { id, recorder, state }] of this.#entered) {
      await recorder.close()
      if (this.#over.has(name) || state === 'failed') continue
      this.#context.runs.update(id, { state: 'interrupted', reason, finished: Date.now() })
      this.#announce(id)
    }
  }

  async #tryToLook(): Promise<void> {
    try {
      await this.#look()
      this.#told = ''
    } catch (error) {
      const { message } = toProblem(error)
      if (wasAborted(error) || message === this.#told) return
      this.#told = message
      noteInLog(this.#context, this.#sweep.id, 'warning', `The folder could not be read: ${message}`)
    }
  }

  async #look(): Promise<void> {
    if (!isRunFolder(this.#sweep.folder)) return
    const { runs } = await this.#context.engine.request('readSweep', { path: this.#sweep.folder })
    for (const run of runs) {
      if (this.#over.has(run.name) || !isRunFolder(run.folder)) continue
      const entered = this.#entered.get(run.name) ?? (await this.#enter(run))
      if (entered) await this.#bring(run, entered)
    }
  }

  /** Null for a run that was removed from the history, or that was done before. */
  async #enter({ name, folder }: SweepRun): Promise<Entered | null> {
    const { engine, runs } = this.#context
    const known = runs.byFolder(await realpath(folder))
    if (known && (known.removed !== null || known.state === 'done')) {
      this.#over.add(name)
      return null
    }
    const id = known?.id ?? (await this.#insert(name, await engine.request('readRunFolder', { path: folder }), folder))
    const entered = { id, recorder: new RunRecorder(this.#context, id, folder), state: null }
    this.#entered.set(name, entered)
    return entered
  }

  async #insert(name: string, report: Parameters<typeof enterFolder>[3], folder: string): Promise<number> {
    const about = { name: `${this.#sweep.name}: ${name}`, parentId: this.#sweep.id }
    const id = await enterFolder(this.#context, this.#library, folder, report, about)
    const { checkpoint_id, checkpoint_name } = this.#sweep
    // A run that was copied from a cluster names the checkpoint by its path there.
    if (this.#context.runs.get(id)!.checkpoint_id === null)
      this.#context.runs.update(id, { checkpoint_id, checkpoint_name })
    return id
  }

  /** Brings a run in line with its folder. */
  async #bring(run: SweepRun, entered: Entered): Promise<void> {
    if (run.state === 'done') return await this.#settle(run, entered)
    if (run.state !== entered.state) {
      // One that goes on has cut its journals back to the saved state.
      await entered.recorder.close()
      entered.recorder = new RunRecorder(this.#context, entered.id, run.folder)
    }
    const { runs } = this.#context
    const { id } = entered
    const before = runs.metrics.lastStep(id)
    await entered.recorder.read(true)
    const step = runs.metrics.lastStep(id)
    const shown = stateOf(run)
    const row = runs.get(id)!
    if (run.state === entered.state && step === before && row.reason === shown.reason) return
    entered.state = run.state
    runs.update(id, { ...shown, progress: JSON.stringify(progressAt(row, step)) })
    this.#announce(id)
  }

  async #settle({ name, folder }: SweepRun, { id, recorder }: Entered): Promise<void> {
    const { engine, runs } = this.#context
    const report = await engine.request('readRunFolder', { path: folder })
    // Its process still tidies up.
    if (report.state === 'running') return
    await recorder.close()
    await settleFromFolder(this.#context, this.#library, runs.get(id)!, report, '')
    this.#over.add(name)
    this.#announce(id)
  }
}

/** How a run that is not done is shown: one that waits to go on is interrupted until it does. */
function stateOf({ state, message, task }: SweepRun): Pick<RunRow, 'state' | 'reason' | 'finished'> {
  if (state === 'running') return { state: 'running', reason: null, finished: null }
  if (state === 'failed') return { state: 'failed', reason: message, finished: Date.now() }
  const reason = task ? `It waits on the cluster (${task.reason}).` : 'Its task has left the queue of the cluster.'
  return { state: 'interrupted', reason, finished: Date.now() }
}

function progressAt({ job }: RunRow, step: number) {
  const { steps } = JSON.parse(job) as { steps?: number }
  return { ...initialProgress(step, steps ?? 0), stage: 'training', done: step, total: steps ?? 0 }
}

/** What follows a job that runs on a cluster; null for one that is no sweep, and enters no runs in the history. */
export const followerOf = (job: Job, ...of: ConstructorParameters<typeof SweepFollower>): SweepFollower | null =>
  job.kind === 'sweep' ? new SweepFollower(...of) : null
