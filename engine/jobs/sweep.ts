import { isDeepStrictEqual } from 'node:util'
import {
  type EngineEvent,
  type EvaluateJob,
  evaluateSchema,
  type JobContext,
  type ResultEvent,
  type SweepJob,
} from '../contract/index.ts'
import type { SecateurError } from '../shared/errors.ts'
import { expandSweep, type SweepRun } from '../sweeps/expand.ts'
import { writeReport } from '../sweeps/report.ts'
import { inRunFolder, type RunFolder } from '../runs/run-folder.ts'
import { localRunner } from '../sweeps/runners/local.ts'
import { slurmRunner } from '../sweeps/runners/slurm/runner.ts'
import type { SweepListener, SweepTask, SweepWork } from '../sweeps/runners/runner.ts'
import {
  denseFolderOf,
  keepFailures,
  outcomeOf,
  runFolderOf,
  settle,
  type SweepFailure,
} from '../sweeps/sweep-folder.ts'
import { SweepProgress } from '../sweeps/sweep-progress.ts'

/**
 * A sweep: a pruning run for every combination of settings, each in a process and a run folder of its own, and one report.
 * Runs that are done are not done again where the sweep is resumed; one that was stopped in the middle goes on.
 */
export async function sweep(job: SweepJob, context: JobContext): Promise<ResultEvent> {
  const started = performance.now()
  const runs = expandSweep(job)
  return await inRunFolder(job, context, async (folder) => {
    const work = workOf(job, folder.path, runs, context)
    const findings = new Findings(work, folder, runs, context)
    const runner = job.cluster ? slurmRunner(job.cluster) : localRunner
    await runner.work(work, findings, context.signal)
    const { failedRuns } = findings
    return {
      type: 'result',
      report: findings.write(),
      ...(failedRuns > 0 && { failedRuns }),
      seconds: folder.attempts.secondsSince(started),
    }
  })
}

function workOf(job: SweepJob, folder: string, runs: readonly SweepRun[], context: JobContext): SweepWork {
  return {
    sweep: job,
    folder,
    dense: denseTask(job, folder, runs, context),
    runs: runs.map((run) => ({ name: run.name, job: { ...run.job, out: runFolderOf(folder, run.name) } })),
  }
}

/** Scores the checkpoint itself, once for all runs. */
function denseTask(
  { dense, checkpoint }: SweepJob,
  folder: string,
  runs: readonly SweepRun[],
  { emit }: JobContext,
): SweepTask | null {
  const [first] = runs
  if (!dense || !first?.job.evaluation) return null
  if (!runs.every(({ job }) => isDeepStrictEqual(job.evaluation, first.job.evaluation))) {
    const message = 'the dense checkpoint is not scored: runs differ in what they are scored on'
    emit({ type: 'log', level: 'warning', message })
    return null
  }
  const out = denseFolderOf(folder)
  const job: EvaluateJob = evaluateSchema.parse({
    kind: 'evaluate',
    checkpoint,
    out,
    device: first.job.device,
    threads: first.job.threads,
    evaluation: first.job.evaluation,
  })
  return { name: 'the dense checkpoint', job: { ...job, out } }
}

/** Runs at a time; a cluster without a limit may do all. */
const atOnce = ({ sweep: { cluster, parallel }, runs }: SweepWork): number =>
  cluster ? (cluster.parallel ?? runs.length) : parallel

/** What a sweep comes to while it runs: tells of it, and keeps it in the sweep's folder. */
class Findings implements SweepListener {
  readonly #work: SweepWork
  readonly #folder: RunFolder
  readonly #runs: readonly SweepRun[]
  readonly #emit: JobContext['emit']
  readonly #progress: SweepProgress
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
    this.#progress = new SweepProgress(runs.length, atOnce(work), emit)
    keepFailures(folder.path, this.#failures)
  }

  get failedRuns(): number {
    return this.#failures.length
  }

  #isDense(task: SweepTask): boolean {
    return task === this.#work.dense
  }

  began(task: SweepTask): void {
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

  heard(task: SweepTask, event: EngineEvent): void {
    if (event.type === 'started') this.#tellStarted(event)
    if (!this.#isDense(task)) this.#progress.hear(task.name, event)
    else if (event.type === 'progress') this.#emit(event)
  }

  /** The sweep computes where its runs do. */
  #tellStarted(event: Extract<EngineEvent, { type: 'started' }>): void {
    if (this.#hasStarted) return
    this.#hasStarted = true
    this.#emit({ ...event, job: this.#work.sweep })
  }

  ended(task: SweepTask, result: ResultEvent, isWhole: boolean): void {
    if (this.#isDense(task)) {
      this.#dense = result
      return
    }
    this.#results.set(task.name, result)
    settle(task.job.out, result, this.#work.sweep)
    // The report grows with every run, so that a sweep that is stopped has one too.
    this.write()
    this.#progress.end(task.name, isWhole)
  }

  failed(task: SweepTask, error: SecateurError): void {
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
    return writeReport(this.#folder.path, outcomeOf(this.#work.sweep, this.#folder.path, this.#runs, findings))
  }
}
