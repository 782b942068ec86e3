import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import type { z } from 'zod'
import {
  type ErrorEvent,
  type Job,
  type JobContext,
  type PruneJob,
  type PruningSnapshot,
  pruningSnapshotSchema,
  type ResultEvent,
  type resultFileSchema,
  type RunFile,
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
import { changedSetting } from './as-started.ts'
import { Attempts } from './attempts.ts'
import { Journal } from './journal.ts'
import {
  identityOf,
  isBegun,
  isRepeated,
  neverStarted,
  readRunFile,
  readScores,
  removeLeftovers,
  runFiles,
} from './run-files.ts'
import { RunLock } from './run-lock.ts'
import { readState, writeState } from './state-file.ts'

type RunJob = Job & { out: string }

/**
 * Runs a job in its folder, which no other process may write meanwhile, and leaves in result.json how it ended.
 *
 * @throws SecateurError where the folder is in use or not fit for the job, and what `run` throws.
 */
export async function inRunFolder(
  job: RunJob,
  { resume, keepLog }: JobContext,
  run: (folder: RunFolder) => Promise<ResultEvent>,
): Promise<ResultEvent> {
  const isOpened = resume && !isBegun(job.out)
  const folder = isOpened ? RunFolder.open(job.out, job) : RunFolder.create(job.out, job)
  try {
    keepLog?.(folder.path, !isOpened)
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

  /** @throws SecateurError where the folder holds something already, or another process writes in it. */
  static create(path: string, job: RunJob): RunFolder {
    if (existsSync(path) && readdirSync(path).length > 0 && !neverStarted(path) && !isRepeated(path, job))
      throw badSetting(
        'out',
        `${path} holds something already: name another folder, or continue the run in it with --resume`,
      )
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
    } satisfies RunFile)
    return folder
  }

  /** The job of the run in a folder. */
  static jobOf(path: string): Job {
    return readRunFile(path).job
  }

  /** @throws SecateurError where the folder holds a run of another job. */
  static open(path: string, job: RunJob): RunFolder {
    const run = readRunFile(path)
    const changed = changedSetting(run.job, job)
    if (changed)
      throw badSetting(
        changed.name,
        `the run in ${path} was started with ${JSON.stringify(changed.earlier)}, not ${JSON.stringify(changed.now)}: a run is continued as it was started`,
      )
    const folder = new RunFolder(path, true)
    if ('outputDtype' in job) folder.#changeOutputDtype(run, job.outputDtype)
    return folder
  }

  /** @throws SecateurError where the checkpoint is written already. */
  #changeOutputDtype(run: RunFile, outputDtype: PruneJob['outputDtype']): void {
    if (!('outputDtype' in run.job) || run.job.outputDtype === outputDtype) return
    if (existsSync(this.output)) {
      const { outputDtype: earlier } = run.job
      this.close()
      throw badSetting(
        'outputDtype',
        `${this.output} is written already, with --output-dtype ${earlier}: continue the run with that, or remove this folder to have it written again`,
      )
    }
    writeJson(join(this.path, runFiles.run), { ...run, job: { ...run.job, outputDtype } } satisfies RunFile)
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
