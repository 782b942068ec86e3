import { basename } from 'node:path'
import { toProblem } from '../problems.ts'
import type { RunRow } from '../database/runs.ts'
import { requireAllowedWithin } from './allowed-paths.ts'
import type { Context } from './context.ts'
import type { Handlers } from './handlers.ts'
import { isRunFolder } from './run-folders.ts'
import { noteInLog } from './run-log.ts'
import { leftReasons, type Outcome } from './run-outcome.ts'
import { clusterOf, rowOf, sweepAbove } from './run-summary.ts'

/** What is asked of clusters, beside the sweeps on them. */
export const clusterHandlers = (context: Context): Handlers<'clusters.report' | 'clusters.try' | 'clusters.task'> => ({
  'clusters.report': () => context.engine.request('cluster', {}),
  'clusters.try': ({ cluster }) => context.engine.request('cluster', { cluster }),
  'clusters.task': async ({ id }) => {
    const row = rowOf(context, id)
    const above = sweepAbove(row, context.runs)
    if (!above) return null
    await requireAllowedWithin(context.options.platform, [above.folder])
    return await context.engine.request('readTask', { path: above.folder, name: basename(row.folder) })
  },
})

/**
 * Ends what a run has in the queue of its cluster, where it was left there.
 *
 * @throws ProblemError where the scheduler does not answer or refuses: its runs go on then
 */
export async function cancelOnCluster(context: Context, { id, folder }: RunRow): Promise<void> {
  if (!isRunFolder(folder)) return
  noteInLog(context, id, 'info', await context.engine.request('cancelSweep', { path: folder }))
}

/** How an attempt ended: what is on a cluster is cancelled only once its scheduler has been told. */
export async function endOnCluster(context: Context, row: RunRow, outcome: Outcome): Promise<Outcome> {
  if (outcome.state !== 'cancelled' || !clusterOf(row)) return outcome
  try {
    await cancelOnCluster(context, row)
    return outcome
  } catch (error) {
    const reason = `It was not cancelled on the cluster, and its runs go on there: ${toProblem(error).message}`
    return { state: 'interrupted', reason, result: null }
  }
}

/** Whether the app left a run on its cluster when it ended. One that was imported is followed only where that is asked. */
export const isLeftOnCluster = (row: RunRow): boolean =>
  row.state === 'interrupted' &&
  (row.reason === leftReasons.closed || row.reason === leftReasons.ended) &&
  clusterOf(row) !== null
