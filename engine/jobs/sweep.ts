import { rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import {
  type EngineEvent,
  type EvaluateJob,
  evaluateSchema,
  type JobContext,
  type PruneJob,
  type ResultEvent,
  type RunFile,
  type SweepJob,
} from '../contract/index.ts'
import { SecateurError } from '../shared/errors.ts'
import { expandSweep, type SweepRun } from '../sweeps/expand.ts'
import { writeReport } from '../sweeps/report.ts'
import { runInChild } from '../runs/child-run.ts'
import { readRunFile } from '../runs/run-files.ts'
import { inRunFolder, type RunFolder } from '../runs/run-folder.ts'
import {
  denseFolderOf,
  keepFailures,
  keepSummary,
  outcomeOf,
  resultIn,
  runFolderOf,
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
    const runner = new Runner(job, folder, context)
    await runner.scoreDense(runs)
    // The report grows with every run, so that a sweep that is stopped has one too.
    const write = () => writeReport(folder.path, runner.outcome(runs))
    await runner.runAll(runs, write)
    const report = write()
    return { type: 'result', report, seconds: (performance.now() - started) / 1000 }
  })
}

class Runner {
  readonly #sweep: SweepJob
  readonly #run: RunFolder
  readonly #context: JobContext
  readonly #threads: number
  readonly #results = new Map<string, ResultEvent>()
  readonly #failures: SweepFailure[] = []
  #dense: ResultEvent | null = null
  #hasStarted = false

  constructor(job: SweepJob, folder: RunFolder, context: JobContext) {
    this.#sweep = job
    this.#run = folder
    this.#context = context
    this.#threads = Math.max(1, Math.floor(availableParallelism() / job.parallel))
  }

  get #folder(): string {
    return this.#run.path
  }

  /** Scores the checkpoint itself, once for all runs. */
  async scoreDense(runs: readonly SweepRun[]): Promise<void> {
    const [first] = runs
    if (!this.#sweep.dense || !first?.job.evaluation) return
    const alike = runs.every(({ job }) => isDeepStrictEqual(job.evaluation, first.job.evaluation))
    if (!alike)
      return this.#note('the dense checkpoint is not scored: runs differ in what they are scored on', 'warning')
    const job = evaluateSchema.parse({
      kind: 'evaluate',
      checkpoint: this.#sweep.checkpoint,
      out: denseFolderOf(this.#folder),
      device: first.job.device,
      threads: first.job.threads,
      evaluation: first.job.evaluation,
    })
    const tell = (event: EngineEvent) => void (event.type === 'progress' && this.#context.emit(event))
    this.#dense = await this.#finish('the dense checkpoint', { ...job, out: denseFolderOf(this.#folder) }, tell)
  }

  /** Works off the queue, as many at a time as is asked for. */
  async runAll(runs: readonly SweepRun[], afterEach: () => void): Promise<void> {
    const progress = new SweepProgress(runs.length, this.#sweep.parallel, this.#context.emit)
    keepFailures(this.#folder, this.#failures)
    const queue = [...runs]
    const work = async () => {
      for (let run = queue.shift(); run; run = queue.shift()) {
        const { name } = run
        const isOver = resultIn(runFolderOf(this.#folder, name)) !== null
        progress.begin(name)
        await this.#runOne(run, (event) => progress.hear(name, event))
        afterEach()
        progress.end(name, !isOver)
      }
    }
    const workers = await Promise.allSettled(Array.from({ length: this.#sweep.parallel }, work))
    for (const worker of workers) if (worker.status === 'rejected') throw worker.reason
  }

  async #runOne({ name, job }: SweepRun, hear: (event: EngineEvent) => void): Promise<void> {
    const out = runFolderOf(this.#folder, name)
    const threads = job.threads ?? (this.#sweep.parallel > 1 ? this.#threads : undefined)
    try {
      const result = await this.#finish(name, { ...job, out, ...(threads === undefined ? {} : { threads }) }, hear)
      this.#results.set(name, result)
      if (result.checkpoint === undefined) return
      keepSummary(out, result.checkpoint)
      if (this.#sweep.keepCheckpoints) return
      for (const part of ['output', 'state']) rmSync(join(out, part), { recursive: true, force: true })
    } catch (error) {
      // A run that cannot be done is told of in the report; the others go on. A stop ends them all.
      if (this.#context.signal.aborted || !(error instanceof SecateurError) || error.kind === 'interrupted') throw error
      this.#run.check()
      this.#failures.push({ name, message: error.message })
      keepFailures(this.#folder, this.#failures)
      this.#note(`${name}: ${error.message}`, 'error')
    }
  }

  /** The result of a run: of an earlier attempt at the sweep, or of a process that starts or continues it. */
  async #finish(
    name: string,
    job: (PruneJob | EvaluateJob) & { out: string },
    hear: (event: EngineEvent) => void,
  ): Promise<ResultEvent> {
    this.#context.signal.throwIfAborted()
    const earlier = resultIn(job.out)
    if (earlier) return earlier
    const resume = startedIn(job.out)
    this.#note(`${resume ? 'continuing' : 'running'} ${name}`, 'info')
    const dense = this.#dense ? denseFolderOf(this.#folder) : undefined
    return await runInChild({ job, resume, dense }, this.#context.signal, (event) => {
      if (event.type === 'started') this.#tellStarted(event)
      hear(event)
    })
  }

  /** The sweep computes where its runs do. */
  #tellStarted({ backend, threads }: Extract<EngineEvent, { type: 'started' }>): void {
    if (this.#hasStarted) return
    this.#hasStarted = true
    this.#context.emit({ type: 'started', job: this.#sweep, backend, threads })
  }

  #note(message: string, level: 'info' | 'warning' | 'error'): void {
    this.#context.emit({ type: 'log', level, message })
  }

  /** Everything that the report is made of. */
  outcome(runs: readonly SweepRun[]) {
    const findings = { results: this.#results, dense: this.#dense, failures: this.#failures }
    return outcomeOf(this.#sweep, this.#folder, runs, findings)
  }
}

/** Whether a run in the folder can be continued. */
function startedIn(folder: string): boolean {
  let run: RunFile
  try {
    run = readRunFile(folder)
  } catch {
    return false
  }
  return run.job.kind !== 'evaluate'
}
