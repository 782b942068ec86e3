import { jobSchema } from '../../engine/contract/index.ts'
import type { ParsedRequest } from '../contract/index.ts'
import type { RunRow } from '../database/runs.ts'
import { ProblemError } from '../problems.ts'
import type { Context } from './context.ts'
import { requireJobAllowed } from './job-paths.ts'
import { clusterOf } from './run-summary.ts'

/** What a run that goes on does in another way than it was started. */
export type ResumeChanges = Omit<ParsedRequest<'runs.resume'>, 'id'>

/**
 * A run's job, as JSON, with changes. A run stays on its cluster, in its folder there.
 *
 * @throws ProblemError where the run has no such setting
 */
export async function changedJob(
  { options }: Context,
  row: RunRow,
  { outputDtype, runner, cluster }: ResumeChanges,
): Promise<string> {
  const settings = JSON.parse(row.job) as Record<string, unknown>
  const { name } = row
  if (outputDtype !== undefined && !('outputDtype' in settings))
    throw new ProblemError('conflict', `${name} writes no weights.`)
  const { evaluation } = settings
  if (runner !== undefined && (typeof evaluation !== 'object' || evaluation === null))
    throw new ProblemError('conflict', `${name} scores nothing.`)
  const before = clusterOf(row)
  if (cluster !== undefined && !before) throw new ProblemError('conflict', `${name} is not on a cluster.`)
  if (cluster && before && (cluster.via !== before.via || cluster.remote !== before.remote))
    throw new ProblemError('conflict', `${name} stays on the cluster that it is on, in its folder there.`)
  if (outputDtype === undefined && runner === undefined && cluster === undefined) return row.job
  const job = {
    ...settings,
    ...(outputDtype !== undefined && { outputDtype }),
    ...(runner !== undefined && { evaluation: { ...(evaluation as object), runner } }),
    ...(cluster && { cluster }),
  }
  await requireJobAllowed(options.platform, jobSchema.parse(job))
  return JSON.stringify(job)
}
