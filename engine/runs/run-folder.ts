import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import type { StoredTensor } from '../tensor/stored-tensor.ts'
import { SafetensorsFile } from '../checkpoint/safetensors.ts'
import { writeSafetensors } from '../checkpoint/safetensors-writer.ts'
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
  runFileSchema,
  type Sample,
  sampleSchema,
  type ScoresFile,
  scoresFileSchema,
  type StepMetrics,
  stepMetricsSchema,
} from '../contract/index.ts'
import { badFile, badSetting, failureOf } from '../shared/errors.ts'
import { readJson, writeJson } from '../shared/files.ts'
import type { SavedValues } from '../shared/saved-values.ts'
import { version } from '../shared/version.ts'
import { Journal } from './journal.ts'
import { lockName, RunLock } from './run-lock.ts'

/**
 * Settings that may differ between a run and its continuation: they do not change what is trained. The output dtype is among
 * them for weights that turn out too large for it.
 */
const mayDiffer = new Set([
  'out',
  'maxLostRows',
  'saveEvery',
  'sampleEvery',
  'samplePrompts',
  'sampleTokens',
  'outputDtype',
])

/** The settings that a continued run must share with the run that was started. */
const fixedSettings = (job: Job) => Object.fromEntries(Object.entries(job).filter(([name]) => !mayDiffer.has(name)))

/** Names of the files of a run folder. */
export const runFiles = {
  run: 'run.json',
  metrics: 'metrics.jsonl',
  snapshots: 'pruning.jsonl',
  samples: 'samples.jsonl',
  scores: 'scores.json',
  result: 'result.json',
  state: join('state', 'state.safetensors'),
} as const

type RunJob = Job & { out: string }

/**
 * Runs a job in its folder, which no other process may write meanwhile, and leaves in result.json how it ended.
 *
 * @throws SecateurError where the folder is in use or not fit for the job, and what `run` throws.
 */
export async function inRunFolder(
  job: RunJob,
  { resume }: JobContext,
  run: (folder: RunFolder) => Promise<ResultEvent>,
): Promise<ResultEvent> {
  const folder = resume && !isBegun(job.out) ? RunFolder.open(job.out, job) : RunFolder.create(job.out, job)
  try {
    const result = await run(folder)
    folder.finish(result)
    return result
  } catch (error) {
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

  private constructor(path: string) {
    this.path = path
    this.#lock = RunLock.take(path)
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
    const folder = new RunFolder(path)
    rmSync(join(path, runFiles.scores), { force: true })
    writeJson(join(path, runFiles.run), {
      version: 1,
      job,
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
    const earlier = fixedSettings(run.job)
    const now = fixedSettings(job)
    const different = Object.keys({ ...earlier, ...now }).filter((name) => !isDeepStrictEqual(earlier[name], now[name]))
    if (different.length > 0)
      throw badSetting(
        different[0]!,
        `the run in ${path} was started with ${JSON.stringify(earlier[different[0]!])}, not ${JSON.stringify(now[different[0]!])}: a run is continued as it was started`,
      )
    const folder = new RunFolder(path)
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
    for (const journal of this.#journals) journal.sync()
    mkdirSync(join(this.path, 'state'), { recursive: true })
    const tensors = [...values].map(([name, { shape, data }]): StoredTensor => {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      return { name, dtype: 'float32', shape, bytes }
    })
    writeSafetensors(this.#stateFile, tensors, { step: String(step) })
  }

  /** The last saved state, or null where the run has none yet. */
  load(): { step: number; values: SavedValues } | null {
    if (!existsSync(this.#stateFile)) return null
    using file = new SafetensorsFile(this.#stateFile)
    const step = stepOf(file)
    const values: SavedValues = new Map()
    for (const name of file.tensors.keys()) {
      const { shape, bytes } = file.read(name)
      const data = new Float32Array(bytes.byteLength / 4)
      new Uint8Array(data.buffer).set(bytes)
      values.set(name, { shape, data })
    }
    return { step, values }
  }

  get #journals() {
    return [this.metrics, this.snapshots, this.samples]
  }

  /** What is scored already. */
  readScores(): ScoresFile {
    const file = join(this.path, runFiles.scores)
    return existsSync(file) ? readJson(file, scoresFileSchema) : {}
  }

  writeScores(scores: ScoresFile): void {
    writeJson(join(this.path, runFiles.scores), scores)
  }

  /** Says how the run, or this attempt at it, ended. */
  finish(outcome: ResultEvent | ErrorEvent): void {
    const finished = new Date().toISOString()
    writeJson(join(this.path, runFiles.result), { finished, outcome } satisfies z.input<typeof resultFileSchema>)
  }

  close(): void {
    for (const journal of this.#journals) journal.close()
    this.#lock.release()
  }
}

/** What a process that was killed had begun to write under a temporary name. */
function removeLeftovers(path: string): void {
  for (const folder of [path, join(path, 'state')]) {
    if (!existsSync(folder)) continue
    for (const name of readdirSync(folder))
      if (/\.partial(-\w+)?$/.test(name) || isLeftover(name))
        rmSync(join(folder, name), { recursive: true, force: true })
  }
}

/** run.json of a folder. Errors: no run folder, or a file that is damaged. */
export function readRunFile(path: string): RunFile {
  const file = join(path, runFiles.run)
  if (!existsSync(file)) throw badFile(path, undefined, 'there is no run.json here: this is not a run folder')
  return readJson(file, runFileSchema)
}

/** Step of a saved state, from its header alone. */
export function stepOf({ path, metadata }: SafetensorsFile): number {
  const step = Number(metadata['step'])
  if (!Number.isInteger(step) || step < 0) throw badFile(path, 'step', 'is not a number of steps')
  return step
}

/**
 * Whether a process was killed here between making the folder and writing the job: it left its lock at most, and what it had
 * begun to write. That can be started, and resumed, which is the same.
 */
export const isBegun = (path: string): boolean =>
  existsSync(path) && statSync(path).isDirectory() && namesIn(path).every((name) => name === lockName)

/** Whether a name is that of a file of a run that a process had begun to write when it was killed. */
const isLeftover = (name: string): boolean => /^(run|result|lock|scores)\.json\.\d+\.(partial|stale)$/.test(name)

const namesIn = (path: string): string[] => readdirSync(path).filter((name) => !isLeftover(name))

/** Whether a run failed here before its first step, of missing data for example: there is nothing to lose or to resume. */
const neverStarted = (path: string): boolean => {
  const names = namesIn(path)
  if (!names.includes(runFiles.run)) return isBegun(path)
  return (
    names.every((name) => ([runFiles.run, runFiles.result, lockName] as string[]).includes(name)) &&
    runOf(path) !== null
  )
}

/** An evaluation may be done again over an earlier one: there is little to lose. */
const isRepeated = (path: string, job: Job): boolean => job.kind === 'evaluate' && runOf(path)?.kind === 'evaluate'

function runOf(path: string): Job | null {
  try {
    return readRunFile(path).job
  } catch {
    return null
  }
}
