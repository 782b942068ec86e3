import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ParsedServiceParams, QueuedTask, ResultEvent, SweepJob, SweepState } from '../contract/index.ts'
import { readRunFile, resultIn, runFiles } from '../runs/run-files.ts'
import { isLocked } from '../runs/run-lock.ts'
import { badFile, SecateurError } from '../shared/errors.ts'
import { columnsOf, kindOf } from './columns.ts'
import { expandSweep, type SweepRun } from './expand.ts'
import { figuresOf } from './figures.ts'
import { reportText, type SweepOutcome } from './report.ts'
import { readFailure, readQueueFile, taskOf } from '../runners/slurm/cluster-folder.ts'
import { summaryRows } from './summary.ts'
import { denseFolderOf, outcomeOf, readFailures, runFolderOf } from './sweep-folder.ts'
import { runsCsv, summaryCsv } from './table.ts'

/** How the sweep in a folder stands, whether or not it runs. */
export function readSweep({ path }: ParsedServiceParams<'readSweep'>): SweepState {
  const { folder, runs, outcome } = open(path)
  const { results, dense, failures, examples } = outcome
  const metrics = new Map(results.map((result) => [result.name, result.metrics]))
  const messages = new Map(failures.map(({ name, message }) => [name, message]))
  const rows = summaryRows(results)
  const queue = readQueueFile(folder)
  return {
    runs: runs.map(({ name, varied }) => {
      const own = runFolderOf(folder, name)
      const done = metrics.get(name)
      // On a cluster, a run may fail while nobody watches the sweep.
      const failure = done ? null : (messages.get(name) ?? readFailure(folder, name)?.message ?? null)
      const task = done ? null : taskOf(queue, name)
      const state = done
        ? 'done'
        : isAtWork(own, task)
          ? 'running'
          : failure === null
            ? restingState(own, task)
            : 'failed'
      const message = state === 'failed' ? failure : null
      return { name, folder: own, varied, state, message, task, metrics: done ?? {} }
    }),
    scheduler: queue && { answered: queue.answered, problem: queue.problem },
    columns: columnsOf([...results, ...(dense ? [{ metrics: dense }] : [])]).map((name) => ({
      name,
      kind: kindOf(name),
    })),
    dense,
    rows,
    figures: figuresOf(rows, dense),
    examples: [...examples],
  }
}

/** A process holds its folder, or the scheduler has just started one. */
const isAtWork = (folder: string, task: QueuedTask | null): boolean => task?.state === 'RUNNING' || isLocked(folder)

/** One that a scheduler sends again waits, though it has begun. */
const restingState = (folder: string, task: QueuedTask | null) =>
  existsSync(join(folder, runFiles.run)) && !task ? 'interrupted' : 'queued'

/** A sweep's tables as a text to keep elsewhere; its figures are files beside report.md. */
export function reportSweep({ path, as }: ParsedServiceParams<'reportSweep'>): string {
  const { outcome } = open(path)
  const rows = summaryRows(outcome.results)
  if (as === 'runs') return runsCsv(outcome.results, outcome.dense)
  return as === 'table' ? summaryCsv(rows) : reportText(outcome, rows, [])
}

/** @throws SecateurError where the folder holds no sweep. */
function open(given: string): { folder: string; runs: SweepRun[]; outcome: SweepOutcome } {
  const folder = resolve(given)
  const { job } = readRunFile(folder)
  if (job.kind !== 'sweep') throw badFile(join(folder, runFiles.run), 'job.kind', `is ${job.kind}, not sweep`)
  const runs = runsOf(job, folder)
  return { folder, runs, outcome: outcomeIn(folder, job, runs) }
}

/** The runs of a sweep; what is wrong with its lists is wrong with the file that holds them. */
function runsOf(job: SweepJob, folder: string): SweepRun[] {
  try {
    return expandSweep(job)
  } catch (error) {
    throw error instanceof SecateurError ? badFile(join(folder, runFiles.run), 'job', error.message, error) : error
  }
}

function outcomeIn(folder: string, job: SweepJob, runs: readonly SweepRun[]): SweepOutcome {
  const results = new Map<string, ResultEvent>()
  for (const { name } of runs) {
    const result = resultIn(runFolderOf(folder, name))
    if (result) results.set(name, result)
  }
  const findings = { results, dense: resultIn(denseFolderOf(folder)), failures: readFailures(folder) }
  return outcomeOf(job, folder, runs, findings)
}
