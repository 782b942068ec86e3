import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { JobContext, ResultEvent, SweepJob } from '../contract/index.ts'
import { asStarted } from '../runs/as-started.ts'
import { refuseOther } from '../runs/refuse-folder.ts'
import { resultIn, runFiles } from '../runs/run-files.ts'
import { expandSweep, type SweepRun } from './expand.ts'
import { runFolderOf } from './sweep-folder.ts'

/** Runs of a sweep that are to be done, and what those that are finished came to. */
export interface RunsLeft {
  left: SweepRun[]
  finished: ResultEvent[]
}

/**
 * What is left of a sweep: everything where it begins, and where it goes on what has no result in its folder.
 *
 * @throws SecateurError where the sweep is none, or its folder holds another one
 */
export function runsLeft(given: SweepJob, context: Pick<JobContext, 'resume'>): RunsLeft {
  if (!context.resume || !existsSync(join(given.out, runFiles.run))) return { left: expandSweep(given), finished: [] }
  const { job } = asStarted(given, context)
  refuseOther(given.out, job)
  return divided(expandSweep(job as SweepJob), given.out)
}

/** Runs by whether there is a result of them in the folder of their sweep. @throws SecateurError where one is damaged */
export function divided(runs: readonly SweepRun[], folder: string): RunsLeft {
  const known = runs.map((run) => ({ run, result: resultIn(runFolderOf(folder, run.name)) }))
  return {
    left: known.flatMap(({ run, result }) => (result ? [] : [run])),
    finished: known.flatMap(({ result }) => result ?? []),
  }
}
