import { mkdirSync } from 'node:fs'
import type { EngineEvent, JobContext, ResultEvent, SweepJob } from '../contract/index.ts'
import type { SecateurError } from '../shared/errors.ts'
import { filesOfRuns, refuseBadFiles } from '../estimate/check-data.ts'
import { expandSweep, type SweepRun } from '../sweeps/expand.ts'
import { divided } from '../sweeps/runs-left.ts'
import { writeReport } from '../sweeps/report.ts'
import { refuseSharedOutputs } from '../sweeps/shared-outputs.ts'
import { inRunFolder, type RunFolder } from '../runs/run-folder.ts'
import type { RunnerListener, RunnerTask } from '../runners/runner.ts'
import { runnerOf } from '../runners/runner-of.ts'
import { type TasksState, TasksProgress } from '../runners/tasks-progress.ts'
import { keepFailures, outcomeOf, settle, type SweepFailure } from '../sweeps/sweep-folder.ts'
import { type SweepWork, workOf } from '../sweeps/sweep-work.ts'

/**
 * A sweep: a pruning run for every combination of settings, each in a process and a run folder of its own, and one report.
 * Runs that are done are not done again where the sweep is resumed; one that was stopped in the middle goes on.
 *
 * @throws SecateurError where settings or files of any run are wrong, before the first begins
 */
export async function sweep(job: SweepJob, context: JobContext): Promise<ResultEvent> {
  const started = performance.now()
  const runs = expandSweep(job)
  if (!context.resume) refuseSharedOutputs(runs)
  // What another workstation has begun goes on here with a copy of its own.
  if (context.resume && job.cluster?.via !== undefined) mkdirSync(job.out, { recursive: true })
  return await inRunFolder(job, context, async (folder) => {
    // Over ssh the files lie on the cluster, and Secateur there checks them.
    if (job.cluster?.via === undefined) {
      // Before anything else is written: what is refused now may be begun again without --resume.
      await refuseBadFiles(filesOfRuns(divided(runs, folder.path).left), context)
    }
    const warn = (message: string) => context.emit({ type: 'log', level: 'warning', message })
    const work = workOf(job, { folder: folder.path, resume: context.resume }, runs, warn)
    const findings = new Findings(work, folder, runs, context)
    await runnerOf(job.cluster).work(work, findings, context.signal)
    const failed = findings.failures.map(({ name }) => name)
    return {
      type: 'result',
      report: findings.write(),
      ...(failed.length > 0 && { failedRuns: failed.length, failed }),
      seconds: folder.attempts.secondsSince(started),
    }
  })
}

/** Runs at a time; a cluster without a limit may do all. */
const atOnce = ({ job: { cluster, parallel }, runs }: SweepWork): number =>
  cluster ? (cluster.parallel ?? runs.length) : parallel

/** What a sweep comes to while it runs: tells of it, and keeps it in the sweep's folder. */
class Findings implements RunnerListener {
  readonly #work: SweepWork
  readonly #folder: RunFolder
  readonly #runs: readonly SweepRun[]
  readonly #emit: JobContext['emit']
  readonly #progress: TasksProgress
  readonly #results = new Map<string, ResultEvent>()
  readonly #failures: SweepFailure[] = []
  #dense: ResultEvent | null = null
  #hasStarted = false
  #hasBegun = false

  constructor(work: SweepWork, folder: RunFolder, runs: readonly SweepRun[], { emit }: JobContext) {
    this.#work = work
    this.#folder = folder
    this.#runs = runs
    this.#emit = emit
    const sizes = new Map(runs.map(({ name }) => [name, 1]))
    this.#progress = new TasksProgress({ sizes, parallel: atOnce(work) }, (state) =>
      emit(progressOf(state, runs.length)),
    )
    keepFailures(folder.path, this.#failures)
  }

  get failures(): readonly SweepFailure[] {
    return this.#failures
  }

  #isDense(task: RunnerTask): boolean {
    return task === this.#work.dense
  }

  began(task: RunnerTask): void {
    if (this.#isDense(task)) return
    this.#tellPhase()
    this.#progress.begin(task.name)
  }

  handedOver(): void {
    this.#tellPhase()
    this.#progress.wait()
  }

  #tellPhase(): void {
    if (!this.#hasBegun) this.#emit({ type: 'phase', phase: 'sweeping' })
    this.#hasBegun = true
  }

  heard(task: RunnerTask, event: EngineEvent): void {
    if (event.type === 'started') this.#tellStarted(event)
    if (!this.#isDense(task)) this.#progress.hear(task.name, event)
    else if (event.type === 'progress') this.#emit(event)
  }

  /** The sweep computes where its runs do. */
  #tellStarted(event: Extract<EngineEvent, { type: 'started' }>): void {
    if (this.#hasStarted) return
    this.#hasStarted = true
    this.#emit({ ...event, job: this.#work.job })
  }

  ended(task: RunnerTask, result: ResultEvent, isWhole: boolean): void {
    // Over ssh, the cluster has done so.
    if (!this.#work.job.cluster?.via) settle(task, result, this.#work.job)
    if (this.#isDense(task)) {
      this.#dense = result
      return
    }
    this.#results.set(task.name, result)
    // The report grows with every run, so that a sweep that is stopped has one too.
    this.write()
    this.#progress.end(task.name, isWhole)
  }

  failed(task: RunnerTask, error: SecateurError): void {
    this.#folder.check()
    this.#failures.push({ name: task.name, message: error.message })
    keepFailures(this.#folder.path, this.#failures)
    this.note(`${task.name}: ${error.message}`, 'error')
    this.write()
    if (!this.#isDense(task)) this.#progress.end(task.name, false)
  }

  note(message: string, level: 'info' | 'warning' | 'error'): void {
    this.#emit({ type: 'log', level, message })
  }

  /** Writes the report on what is known so far; returns its path. */
  write(): string {
    const findings = { results: this.#results, dense: this.#dense, failures: this.#failures }
    return writeReport(this.#folder.path, outcomeOf(this.#work.job, this.#folder.path, this.#runs, findings))
  }
}

/** How far a sweep is: runs that are over, and what is done of those that are at work. */
const progressOf = ({ active, done, underWay, secondsLeft }: TasksState, runs: number): EngineEvent => ({
  type: 'progress',
  stage: 'sweeping',
  done: done + underWay,
  total: runs,
  ...(active.length > 0 ? { item: active.join(', ') } : {}),
  ...(secondsLeft === null ? {} : { secondsLeft }),
})
