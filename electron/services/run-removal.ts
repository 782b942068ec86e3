import { dirname } from 'node:path'
import { isWithin } from '../../engine/shared/allowed-folders.ts'
import type { RunOutline } from '../database/runs.ts'
import { ProblemError } from '../problems.ts'
import { requireAllowed } from './allowed-paths.ts'
import { writtenCard } from './checkpoint-files.ts'
import type { Context } from './context.ts'
import { exists } from './files.ts'
import { busyStates, sweepAbove } from './run-summary.ts'

/**
 * Moves the folders of runs to the trash, unless they are to be kept.
 *
 * @throws ProblemError where a run is not at rest, or where another one needs what would be moved
 */
export async function removeFiles(
  context: Context,
  outlines: readonly RunOutline[],
  files: 'keep' | 'trash',
): Promise<void> {
  const { runs, checkpoints, options, emit } = context
  for (const { id, name, state } of outlines) {
    const above = files === 'trash' ? sweepAbove(runs.get(id)!, runs) : null
    if (above && ['queued', ...busyStates].includes(above.state))
      throw new ProblemError('in-use', `${name} belongs to ${above.name}, which is ${above.state} on a cluster.`)
    if (state === 'queued' || busyStates.includes(state))
      throw new ProblemError('in-use', `${name} is ${state}: cancel it first.`)
    if (runs.unwritten.has(id))
      throw new ProblemError('in-use', `${name} is ${state}, but the disk did not let that be written down yet.`)
  }
  if (files === 'keep') return
  const waiting = runs.inStates(['queued', ...busyStates, 'paused', 'interrupted'])
  for (const run of outlines) {
    const user = waiting.find(
      ({ id, checkpoint_id }) => id !== run.id && checkpoint_id !== null && checkpoint_id === run.output_id,
    )
    if (user) throw new ProblemError('in-use', `The output of ${run.name} is needed by the run ${user.name}.`)
  }
  for (const { id, folder, output_id } of outlines) {
    if (!isOwn(context, id)) continue
    await requireAllowed(options.platform, [dirname(folder)])
    if (await exists(folder)) for (const path of [folder, ...writtenCard(folder)]) await options.platform.trash(path)
    // What was moved elsewhere is not gone with it.
    const output = output_id === null ? undefined : checkpoints.get(output_id)
    if (output_id === null || !output || !isWithin(output.path, [folder])) continue
    checkpoints.update(output_id, { status: 'missing' })
    emit('checkpoint', { id: output_id, removed: false })
  }
}

/**
 * Whether what is at a run's place is its own. The file of an export may be another's, of a run that came after it or of
 * nobody here, where it ended without one.
 */
function isOwn({ runs, checkpoints }: Context, id: number): boolean {
  const { kind, output_id } = runs.get(id)!
  return kind !== 'export' || (output_id !== null && checkpoints.get(output_id)?.run_id === id)
}
