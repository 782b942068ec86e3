import type { EngineEvent, Job, LogEntry, ResultEvent } from '../../engine/contract/index.ts'
import { explainEnd } from '../../engine/shared/process-end.ts'
import { processStart } from '../../engine/shared/process-identity.ts'
import type { RunProgress } from '../contract/index.ts'
import type { RunRow } from '../database/runs.ts'
import { EngineRun } from '../engine-client.ts'
import type { Context } from './context.ts'
import { type Intent, type Outcome, stopped } from './run-outcome.ts'
import { initialProgress, progressOf, progressOfStep, withEarlier } from './run-progress.ts'
import { RunRecorder } from './run-recorder.ts'
import { summaryOf } from './run-summary.ts'

/** Milliseconds between two transactions of a run. */
const period = 250
/** Milliseconds that a run has to end in once it is cancelled; its last saved state is whole whenever it is killed. */
const patience = 20_000

/** One engine process that works on a run. Writes what it reports into the database. */
export class RunProcess {
  readonly id: number
  readonly outcome: Promise<Outcome>
  progress: RunProgress
  /** Where earlier attempts at the run have brought it. */
  readonly #earlier: RunProgress['overall']
  readonly #context: Context
  readonly #engine: EngineRun
  readonly #folder: string
  #recorder: RunRecorder
  readonly #changed: () => void
  #intent: Intent | null = null
  #changes: Partial<RunRow> = {}
  /** Of the log, not written yet. */
  #lines: LogEntry[] = []
  #lastLogged: string | null = null
  #dirty = false
  #failing = false
  /** One at a time: lines that one has read and could not write are read again by the next. */
  #flushing: Promise<void> | null = null
  /** Once a step is done in this attempt, the folder's files go on from the saved step. */
  #stepping = false
  #result: ResultEvent | null = null
  #error: Extract<EngineEvent, { type: 'error' }> | null = null
  #timer: NodeJS.Timeout
  #killed = false
  #patience: NodeJS.Timeout | undefined

  /** `changed` is called after each transaction and change of state. */
  constructor(context: Context, row: RunRow, job: Job, options: { resume: boolean; changed: () => void }) {
    this.id = row.id
    this.#context = context
    this.#changed = options.changed
    this.#folder = row.folder
    this.#recorder = new RunRecorder(context, row.id, row.folder)
    const before = summaryOf(row, context.runs).progress
    this.#earlier = before?.overall ?? null
    this.progress = initialProgress(row.last_saved_step ?? 0, before?.steps ?? 0)
    this.#engine = new EngineRun(context.options.engine, job, options.resume, (event) => {
      try {
        this.#handle(event)
      } catch (error) {
        context.inBackground(Promise.reject(error))
      }
    })
    this.#put({ pid: this.#engine.pid })
    context.inBackground(processStart(this.#engine.pid).then((start) => this.#put({ pid_started: start })))
    this.#timer = setInterval(() => {
      if (this.#dirty && !this.#flushing) context.inBackground(this.#startFlush())
    }, period)
    this.outcome = this.#wait()
  }

  /**
   * Writes what has not been written yet of a process that has ended.
   *
   * @throws what keeps it from being written; it may be tried again then
   */
  async settle(): Promise<void> {
    const failure = await this.#flush()
    if (failure !== undefined) throw failure
    await this.#recorder.close()
  }

  get stopping(): boolean {
    return this.#intent !== null
  }

  /** Asks the process to save its state and end. Kills it after `patience` where it was cancelled or the app closes. */
  stop(intent: Intent): void {
    const first = this.#intent === null
    if (first || intent === 'cancel') this.#intent = intent
    if (first) this.#engine.stop()
    if (intent !== 'pause')
      this.#patience ??= setTimeout(() => {
        this.#killed = true
        this.#engine.kill()
      }, patience)
  }

  async #wait(): Promise<Outcome> {
    const end = await this.#engine.ended
    clearInterval(this.#timer)
    clearTimeout(this.#patience)
    await this.#flushing
    if (this.#result && end.code === 0) return { state: 'done', reason: null, result: this.#result }
    const interrupted = this.#error?.kind === 'interrupted'
    if (this.#intent !== null && (interrupted || this.#killed)) return stopped(this.#intent)
    if (interrupted) return { state: 'interrupted', reason: this.#error!.message, result: null }
    if (this.#error) return { state: 'failed', reason: this.#error.message, result: null }
    this.#log('error', explainEnd(end))
    return { state: 'failed', reason: explainEnd(end), result: null, crashed: true }
  }

  #handle(event: EngineEvent): void {
    const { progress } = this
    switch (event.type) {
      case 'started':
        this.#change({ state: this.#state(), device: event.backend })
        break
      case 'estimate':
        this.#change({ estimate: JSON.stringify(event.estimate) })
        break
      case 'progress':
        Object.assign(progress, progressOf(event))
        // Some jobs need no back end, so that they never say that one has started.
        this.#change({ state: this.#state() })
        break
      case 'data':
        progress.rows = event.rows
        this.#dirty = true
        break
      case 'step':
        this.#stepping = true
        Object.assign(progress, progressOfStep(event))
        this.#recorder.noteSpeed(event.metrics.step, event)
        this.#dirty = true
        break
      case 'saved':
        this.#change({ last_saved_step: event.step })
        break
      case 'validated':
        // A step that was not measured before a stop is measured first, and its line written again.
        this.#stepping = true
        this.#dirty = true
        break
      case 'overall':
        progress.overall = withEarlier(event.overall, this.#earlier)
        this.#dirty = true
        break
      case 'logged':
        this.#lines.push(event.line)
        this.#lastLogged = event.line.message
        this.#dirty = true
        break
      case 'result':
        this.#result = event
        break
      case 'error':
        this.#error = event
        // What went wrong before the job began is in no log of its own.
        if (event.kind !== 'interrupted' && this.#lastLogged !== event.message) this.#log('error', event.message)
        break
      case 'pruned':
      case 'sample':
        this.#dirty = true
    }
  }

  #state(): RunRow['state'] {
    return this.#intent === null ? 'running' : 'stopping'
  }

  #log(level: LogEntry['level'], message: string): void {
    this.#lines.push({ time: Date.now(), level, message })
    this.#dirty = true
  }

  /** Writes the lines that have come, and tells of them. */
  #flushLog(): void {
    const { db, runs, emit } = this.#context
    const lines = this.#lines
    if (lines.length === 0) return
    const added = db.transaction(() => lines.map((line) => runs.records.addLog(this.id, line)))()
    this.#lines = []
    emit('log', { id: this.id, lines: added })
  }

  /** At once where the disk lets it, otherwise with the next transaction: the process runs in any case. */
  #put(changes: Partial<RunRow>): void {
    try {
      this.#context.runs.update(this.id, changes)
    } catch {
      this.#change(changes)
    }
  }

  #change(changes: Partial<RunRow>): void {
    Object.assign(this.#changes, changes)
    this.#dirty = true
  }

  #startFlush(): Promise<void> {
    this.#flushing = this.#flush().then(
      () => void (this.#flushing = null),
      () => void (this.#flushing = null),
    )
    return this.#flushing
  }

  /**
   * A failed write, on a full disk for example, is repeated with the next one: the run folder keeps the data.
   *
   * @returns why it failed
   */
  async #flush(): Promise<unknown> {
    let failure: unknown
    this.#dirty = false
    const changes = { ...this.#changes, progress: JSON.stringify(this.progress) }
    this.#changes = {}
    try {
      this.#flushLog()
      if (this.#stepping) await this.#recorder.read(true, changes)
      else this.#context.runs.update(this.id, changes)
      this.#failing = false
    } catch (error) {
      failure = error
      this.#changes = { ...changes, ...this.#changes }
      await this.#recorder.close()
      this.#recorder = new RunRecorder(this.#context, this.id, this.#folder)
      this.#dirty = true
      if (!this.#failing) this.#context.inBackground(Promise.reject(error))
      this.#failing = true
    }
    this.#changed()
    return failure
  }
}

/** Whether the process that an earlier start of the app gave a run still works on it. */
export async function stillRuns({ pid, pid_started }: RunRow): Promise<boolean> {
  if (pid === null || pid_started === null) return false
  return (await processStart(pid)) === pid_started
}
