import { isWithin } from '../../engine/shared/allowed-folders.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'
import type { RunRow, RunStore } from '../database/runs.ts'
import { ProblemError } from '../problems.ts'
import { pathsOfJob } from './job-paths.ts'

/**
 * Refuses to touch the files of a checkpoint that a run reads or writes which is not over.
 *
 * @throws ProblemError of kind `in-use` that names the run
 */
export function requireUnused(runs: RunStore, row: CheckpointRow): void {
  const user = runs
    .inStates(['queued', 'starting', 'running', 'stopping', 'paused', 'interrupted'])
    .find((run) => run.output_id === row.id || readsFrom(run, row))
  if (user)
    throw new ProblemError('in-use', `${row.name} is needed by the run ${user.name}: cancel or remove that first.`)
}

/** Whether a run's job names the checkpoint, as what it works on or as an adapter. */
const readsFrom = (run: RunRow, { id, path }: CheckpointRow): boolean =>
  run.checkpoint_id === id || pathsOfJob(JSON.parse(run.job) as object).some((used) => isWithin(used.path, [path]))
