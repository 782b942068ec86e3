import { availableParallelism } from 'node:os'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { openCheckpoint } from '../checkpoint/checkpoint.ts'
import {
  type EvaluateJob,
  evaluateSchema,
  type JobContext,
  type PruneJob,
  type ResultEvent,
  resultFileSchema,
  type RunFile,
  type SweepJob,
} from '../contract.ts'
import { SecateurError } from '../errors.ts'
import { readJson, writeJson } from '../files.ts'
import { expandSweep, type SweepRun } from '../sweeps/expand.ts'
import { multiplyAdds } from '../sweeps/multiply-adds.ts'
import { writeReport } from '../sweeps/report.ts'
import { type Metrics, metricsOf, type RunResult } from '../sweeps/summary.ts'
import { runInChild } from './child-run.ts'
import { inRunFolder, readRunFile, runFiles } from './run-folder.ts'
import { StageProgress } from './stage-progress.ts'

/**
 * A sweep: a pruning run for every combination of settings, each in a process and a run folder of its own, and one report.
 * Runs that are done are not done again where the sweep is resumed; one that was stopped in the middle goes on.
 */
export async function sweep(job: SweepJob, context: JobContext): Promise<ResultEvent> {
  const started = performance.now()
  const runs = expandSweep(job)
  return await inRunFolder(job, context, async (folder) => {
    const runner = new Runner(job, folder.path, context)
    await runner.scoreDense(runs)
    // The report grows with every run, so that a sweep that is stopped has one too.
    const write = () => writeReport(folder.path, runner.outcome(runs))
    await runner.runAll(runs, write)
    const report = write()
    return { type: 'result', report, seconds: (performance.now() - started) / 1000 }
  })
}

/** What is kept of a run that is over, so that its checkpoint is not needed any more. */
const summarySchema = z.object({ multiplyAdds: z.number() })
const summaryFile = 'summary.json'

class Runner {
  readonly #sweep: SweepJob
  readonly #folder: string
  readonly #context: JobContext
  readonly #threads: number
  readonly #results = new Map<string, ResultEvent>()
  readonly #failures: { name: string; message: string }[] = []
  #dense: ResultEvent | null = null

  constructor(job: SweepJob, folder: string, context: JobContext) {
    this.#sweep = job
    this.#folder = folder
    this.#context = context
    this.#threads = Math.max(1, Math.floor(availableParallelism() / job.parallel))
  }

  #folderOf(name: string): string {
    return join(this.#folder, 'runs', name)
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
      out: join(this.#folder, 'dense'),
      device: first.job.device,
      threads: first.job.threads,
      evaluation: first.job.evaluation,
    })
    this.#dense = await this.#finish('the dense checkpoint', { ...job, out: join(this.#folder, 'dense') })
  }

  /** Works off the queue, as many at a time as is asked for. */
  async runAll(runs: readonly SweepRun[], afterEach: () => void): Promise<void> {
    const progress = new StageProgress('sweeping', this.#context.emit)
    const queue = [...runs]
    let done = 0
    progress.report(done, runs.length)
    const work = async () => {
      for (let run = queue.shift(); run; run = queue.shift()) {
        await this.#runOne(run)
        afterEach()
        progress.report(++done, runs.length)
      }
    }
    const workers = await Promise.allSettled(Array.from({ length: this.#sweep.parallel }, work))
    for (const worker of workers) if (worker.status === 'rejected') throw worker.reason
  }

  async #runOne({ name, job }: SweepRun): Promise<void> {
    const out = this.#folderOf(name)
    const threads = job.threads ?? (this.#sweep.parallel > 1 ? this.#threads : undefined)
    try {
      const result = await this.#finish(name, { ...job, out, ...(threads === undefined ? {} : { threads }) })
      this.#results.set(name, result)
      if (result.checkpoint !== undefined) this.#keepSummary(out, result.checkpoint)
    } catch (error) {
      // A run that cannot be done is told of in the report; the others go on. A stop ends them all.
      if (this.#context.signal.aborted || !(error instanceof SecateurError) || error.kind === 'interrupted') throw error
      this.#failures.push({ name, message: error.message })
      this.#note(`${name}: ${error.message}`, 'error')
    }
  }

  /** The result of a run: of an earlier attempt at the sweep, or of a process that starts or continues it. */
  async #finish(name: string, job: (PruneJob | EvaluateJob) & { out: string }): Promise<ResultEvent> {
    this.#context.signal.throwIfAborted()
    const earlier = resultIn(job.out)
    if (earlier) return earlier
    const resume = startedIn(job.out)
    this.#note(`${resume ? 'continuing' : 'running'} ${name}`, 'info')
    return await runInChild({ job, resume }, this.#context.signal)
  }

  #keepSummary(out: string, checkpoint: string): void {
    const file = join(out, summaryFile)
    if (!existsSync(file)) {
      using pruned = openCheckpoint(checkpoint)
      writeJson(file, { multiplyAdds: multiplyAdds(pruned.config) } satisfies z.infer<typeof summarySchema>)
    }
    if (this.#sweep.keepCheckpoints) return
    for (const name of ['output', 'state']) rmSync(join(out, name), { recursive: true, force: true })
  }

  #note(message: string, level: 'info' | 'warning' | 'error'): void {
    this.#context.emit({ type: 'log', level, message })
  }

  /** Everything that the report is made of. */
  outcome(runs: readonly SweepRun[]) {
    const results = runs.flatMap(({ name, varied }): RunResult[] => {
      const result = this.#results.get(name)
      const file = join(this.#folderOf(name), summaryFile)
      const work = existsSync(file) ? readJson(file, summarySchema).multiplyAdds : null
      return result ? [{ varied, metrics: metricsOf(result, work) }] : []
    })
    return {
      sweep: this.#sweep,
      results,
      runs: runs.length,
      failures: this.#failures,
      dense: this.#denseMetrics(),
      examples: [
        ...(this.#dense?.examples ? [{ name: 'dense', examples: this.#dense.examples }] : []),
        ...runs.flatMap((run) => {
          const examples = this.#results.get(run.name)?.examples
          return examples ? [{ name: titleOf(run), examples }] : []
        }),
      ],
    }
  }

  /** The time that scoring took is not that of a pruning run. */
  #denseMetrics(): Metrics | null {
    if (!this.#dense) return null
    using checkpoint = openCheckpoint(this.#sweep.checkpoint)
    const { seconds: _, ...metrics } = metricsOf(this.#dense, multiplyAdds(checkpoint.config))
    return metrics
  }
}

const titleOf = ({ varied }: SweepRun): string =>
  Object.entries(varied)
    .map(([setting, value]) => `${setting} ${String(value)}`)
    .join(', ')

/** The result of a run that is over; null for one that failed, was stopped or never began. */
function resultIn(folder: string): ResultEvent | null {
  const file = join(folder, runFiles.result)
  if (!existsSync(file)) return null
  const { outcome } = readJson(file, resultFileSchema)
  return outcome.type === 'result' ? outcome : null
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
