import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import {
  type ErrorEvent,
  isOfTasks,
  isReachedOverSsh,
  type Job,
  type JobContext,
  type PruneJob,
  type PruningSnapshot,
  pruningSnapshotSchema,
  type ResultEvent,
  type resultFileSchema,
  type RunFile,
  type RunInputs,
  type Sample,
  sampleSchema,
  type ScoresFile,
  type StepMetrics,
  stepMetricsSchema,
} from '../contract/index.ts'
import { badFile, badSetting, failureOf } from '../shared/errors.ts'
import { writeJson } from '../shared/files.ts'
import type { SavedValues } from '../shared/saved-values.ts'
import { version } from '../shared/version.ts'
import { withAbsolutePaths } from './absolute-paths.ts'
import { Attempts } from './attempts.ts'
import { InputReader } from './inputs.ts'
import { Journal } from './journal.ts'
import { identityOf, isBegun, readRunFile, readScores, removeLeftovers, runFiles } from './run-files.ts'
import { RunLock } from './run-lock.ts'
import { refuseOther, refuseUsed } from './refuse-folder.ts'
import { refuseChanged, refuseChangedTasks } from './same-inputs.ts'
import { readState, writeState } from './state-file.ts'

type RunJob = Job & { out: string }

/**
 * Runs a job in its folder, which no other process may write meanwhile, and leaves in result.json how it ended.
 *
 * @throws SecateurError where the folder is in use or not fit for the job, and what `run` throws.
 */
export async function inRunFolder(
  job: RunJob,
  context: JobContext,
  run: (folder: RunFolder) => Promise<ResultEvent>,
): Promise<ResultEvent> {
  const isOpened = context.resume && !isBegun(job.out)
  // What is refused at once does not wait for files to be read.
  if (isOpened) refuseOther(job.out, job)
  else refuseUsed(job.out, job)
  const reader = new InputReader(context)
  if (isOpened && isOfTasks(job) && !isReachedOverSsh(job)) await refuseChangedTasks(job.out, reader)
  const inputs = await reader.read(job)
  const isUnchecked = isOpened && !isOfTasks(job) && !readRunFile(job.out).inputs
  const folder = isOpened ? RunFolder.open(job.out, job, inputs) : RunFolder.create(job.out, job, inputs)
  try {
    context.keepLog?.(folder.path, !isOpened)
    if (isUnchecked) context.emit({ type: 'log', level: 'info', message: withoutInputs })
    const result = await run(folder)
    folder.finish(result)
    return result
  } catch (error) {
    // Whatever else went wrong followed from it.
    folder.check()
    try {
      folder.finish({ type: 'error', ...failureOf(error) })
    } catch {
      // On a full disk the first error is the one to tell.
    }
    throw error
  } finally {
    folder.close()
  }
}

const withoutInputs =
  'an earlier version of Secateur started this run and kept no fingerprints of what it reads: whether checkpoint and data are still the same is not checked'

/**
 * A run on disk: run.json (the job, versions, hardware), what happened step by step (metrics, snapshots of pruning,
 * samples), scores, state/ (what is needed to go on), output/ and result.json. The folder alone is enough to resume the
 * run or to tell its story elsewhere.
 */
export class RunFolder {
  readonly path: string
  readonly metrics: Journal<StepMetrics>
  readonly snapshots: Journal<PruningSnapshot>
  readonly samples: Journal<Sample>
  readonly #lock: RunLock
  readonly #identity: string | null
  readonly attempts: Attempts

  private constructor(path: string, isResumed: boolean) {
    this.path = path
    this.attempts = new Attempts(path, isResumed)
    this.#lock = RunLock.take(path)
    this.#identity = identityOf(path)
    removeLeftovers(path)
    this.metrics = new Journal(join(path, runFiles.metrics), stepMetricsSchema)
    this.snapshots = new Journal(join(path, runFiles.snapshots), pruningSnapshotSchema)
    this.samples = new Journal(join(path, runFiles.samples), sampleSchema)
    rmSync(join(path, runFiles.result), { force: true })
  }

  /**
   * @param inputs fingerprints of what the run reads; none of a run that is made of tasks
   * @throws SecateurError where the folder holds something already, or another process writes in it.
   */
  static create(path: string, job: RunJob, inputs: RunInputs = {}): RunFolder {
    refuseUsed(path, job)
    mkdirSync(path, { recursive: true })
    const folder = new RunFolder(path, false)
    for (const name of [runFiles.scores, runFiles.predictions, runFiles.attempts])
      rmSync(join(path, name), { recursive: true, force: true })
    writeJson(join(path, runFiles.run), {
      version: 1,
      job: withAbsolutePaths(job),
      started: new Date().toISOString(),
      software: { secateur: version, node: process.versions.node, platform: `${process.platform} ${process.arch}` },
      hardware: { processor: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memoryBytes: totalmem() },
      ...(!isOfTasks(job) && { inputs }),
    } satisfies RunFile)
    return folder
  }

  /** The job of the run in a folder. */
  static jobOf(path: string): Job {
    return readRunFile(path).job
  }

  /**
   * @param inputs fingerprints of what the run reads today
   * @throws SecateurError where the folder holds a run of another job, or one that has read other files.
   */
  static open(path: string, job: RunJob, inputs: RunInputs = {}): RunFolder {
    const run = readRunFile(path)
    refuseOther(path, job)
    refuseChanged(path, run, inputs)
    const folder = new RunFolder(path, true)
    const now = { ...run, ...(!isOfTasks(job) && { inputs: { ...run.inputs, ...inputs } }) }
    if ('outputDtype' in now.job && 'outputDtype' in job) {
      if (now.job.outputDtype !== job.outputDtype) folder.#forgetOutput(now.job.outputDtype)
      now.job = { ...now.job, outputDtype: job.outputDtype }
    }
    if (!isDeepStrictEqual(now, run)) writeJson(join(path, runFiles.run), now satisfies RunFile)
    return folder
  }

  /**
   * Scores of a checkpoint that was removed are not those of the one that will be written.
   *
   * @param outputDtype of the checkpoint that was written
   * @throws SecateurError where it is there.
   */
  #forgetOutput(outputDtype: PruneJob['outputDtype']): void {
    if (existsSync(this.output)) {
      this.close()
      throw badSetting(
        'outputDtype',
        `${this.output} is written already, with --output-dtype ${outputDtype}: continue the run with that, or remove this folder to have it written again`,
      )
    }
    const { dense, result } = this.readScores()
    if (result) this.writeScores({ ...(dense && { dense }) })
  }

  get #stateFile(): string {
    return join(this.path, runFiles.state)
  }

  get output(): string {
    return join(this.path, 'output')
  }

  /** Saves the state after a step: the old one stays until the new one is whole on disk. */
  save(step: number, values: SavedValues): void {
    this.check()
    for (const journal of this.#journals) journal.sync()
    writeState(this.#stateFile, step, values)
    this.attempts.keep()
  }

  /** The last saved state, or null where the run has none yet. */
  load(): { step: number; values: SavedValues } | null {
    return existsSync(this.#stateFile) ? readState(this.#stateFile) : null
  }

  /**
   * What is written into a folder that is not there any more is lost, and nobody would hear of it.
   *
   * @throws SecateurError where the folder was deleted, moved, replaced or taken over since the run began to write in it
   */
  check(): void {
    // Numbers of files change on some file systems of networks, and a lock may be removed by hand: one of them is enough.
    if (this.#lock.isLost)
      throw badFile(this.path, undefined, 'another process has taken the run over: this one leaves it alone')
    const isSame = this.#lock.isHeld || identityOf(this.path) === this.#identity
    if (isSame && existsSync(join(this.path, runFiles.run))) return
    throw badFile(
      this.path,
      undefined,
      'the run folder was deleted, moved or replaced while the run wrote in it: what the run wrote is gone with it',
    )
  }

  get #journals() {
    return [this.metrics, this.snapshots, this.samples]
  }

  /** What is scored already. */
  readScores(): ScoresFile {
    return readScores(this.path)
  }

  writeScores(scores: ScoresFile): void {
    this.check()
    writeJson(join(this.path, runFiles.scores), scores)
  }

  /** Says how the run, or this attempt at it, ended. */
  finish(outcome: ResultEvent | ErrorEvent): void {
    this.check()
    this.attempts.keep()
    const finished = new Date().toISOString()
    writeJson(join(this.path, runFiles.result), { finished, outcome } satisfies z.input<typeof resultFileSchema>)
  }

  close(): void {
    for (const journal of this.#journals) journal.close()
    this.#lock.release()
  }
}
