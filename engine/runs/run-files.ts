// What lies in a run folder: the names of its files, its job, and what a process that was killed left there.
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Job,
  type JobContext,
  type ResultEvent,
  resultFileSchema,
  type RunFile,
  runFileSchema,
  type ScoresFile,
  scoresFileSchema,
} from '../contract/index.ts'
import { badFile } from '../shared/errors.ts'
import { readJson } from '../shared/files.ts'
import { asItWasMeant } from './absolute-paths.ts'
import { lockName } from './run-lock.ts'

/** Names of the files of a run folder. */
export const runFiles = {
  run: 'run.json',
  metrics: 'metrics.jsonl',
  snapshots: 'pruning.jsonl',
  samples: 'samples.jsonl',
  scores: 'scores.json',
  predictions: 'predictions',
  log: 'log.jsonl',
  attempts: 'attempts.json',
  parts: 'parts',
  result: 'result.json',
  state: join('state', 'state.safetensors'),
} as const

/** run.json of a folder, its paths as they were meant. @throws SecateurError where it is no run folder, or the file is damaged */
export function readRunFile(path: string): RunFile {
  const file = join(path, runFiles.run)
  if (!existsSync(file)) throw badFile(path, undefined, 'there is no run.json here: this is not a run folder')
  const run = readJson(file, runFileSchema)
  return { ...run, job: asItWasMeant(run.job, path) }
}

/** scores.json of a folder; nothing where there is none yet. @throws SecateurError where it is damaged */
export function readScores(path: string): ScoresFile {
  const file = join(path, runFiles.scores)
  return existsSync(file) ? readJson(file, scoresFileSchema) : {}
}

/** The run in a folder that is to be continued; null where there is none to continue. */
export const startedRun = (path: string, { resume }: Pick<JobContext, 'resume'>): RunFile | null =>
  resume && existsSync(join(path, runFiles.run)) ? readRunFile(path) : null

/** The job of that run. */
export const startedJob = (path: string, context: Pick<JobContext, 'resume'>): Job | null =>
  startedRun(path, context)?.job ?? null

/**
 * Whether a process was killed here between making the folder and writing the job: it left its lock at most, and what it had
 * begun to write. That can be started, and resumed, which is the same.
 */
export const isBegun = (path: string): boolean =>
  existsSync(path) && statSync(path).isDirectory() && namesIn(path).every((name) => name === lockName)

/** Whether a name is that of a file of a run that a process had begun to write when it was killed. */
const isLeftover = (name: string): boolean =>
  /^(run|result|attempts|lock|scores)\.json\.\d+\.(partial|stale)$/.test(name)

const namesIn = (path: string): string[] => readdirSync(path).filter((name) => !isLeftover(name))

/** Files that a run has before its first step. */
const beforeSteps = [runFiles.run, runFiles.result, runFiles.log, runFiles.attempts]

/** Whether a run failed here before its first step, of missing data for example: there is nothing to lose or to resume. */
export const neverStarted = (path: string): boolean => {
  const names = namesIn(path)
  if (!names.includes(runFiles.run)) return isBegun(path)
  return names.every((name) => ([...beforeSteps, lockName] as string[]).includes(name)) && jobIn(path) !== null
}

/**
 * An evaluation may be done again over an earlier one: there is little to lose. Parts of one could be taken for those of
 * another.
 */
export const isRepeated = (path: string, job: Job): boolean =>
  job.kind === 'evaluate' && jobIn(path)?.kind === 'evaluate' && !existsSync(join(path, runFiles.parts))

/** run.json of a folder; null where there is none that can be read. */
export function runIn(path: string): RunFile | null {
  try {
    return readRunFile(path)
  } catch {
    return null
  }
}

/** The job of the run in a folder; null where there is none that can be read. */
export const jobIn = (path: string): Job | null => runIn(path)?.job ?? null

/** The result of a run that is over; null for one that failed, was stopped or never began. @throws SecateurError where it is damaged */
export function resultIn(path: string): ResultEvent | null {
  const file = join(path, runFiles.result)
  if (!existsSync(file)) return null
  const { outcome } = readJson(file, resultFileSchema)
  return outcome.type === 'result' ? outcome : null
}

/** Whether a run in the folder can be continued: an evaluation that was stopped is done again. */
export function isStarted(path: string): boolean {
  const job = jobIn(path)
  return job !== null && job.kind !== 'evaluate'
}

/** The job that a folder's run was started as, where another of its kind would continue it; null where that begins anew. */
export function continuedJob<Kind extends Job['kind']>(path: string, kind: Kind): Extract<Job, { kind: Kind }> | null {
  const job = isStarted(path) ? jobIn(path) : null
  return job?.kind === kind ? (job as Extract<Job, { kind: Kind }>) : null
}

/** What a process that was killed had begun to write under a temporary name. */
export function removeLeftovers(path: string): void {
  for (const folder of [path, join(path, 'state'), join(path, runFiles.predictions)]) {
    if (!existsSync(folder)) continue
    for (const name of readdirSync(folder))
      if (/\.partial(-\w+)?$/.test(name) || isLeftover(name))
        rmSync(join(folder, name), { recursive: true, force: true })
  }
}

/** What tells a folder from another of the same name; null where there is none. */
export function identityOf(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true })
  return stat?.isDirectory() ? `${stat.dev} ${stat.ino}` : null
}
