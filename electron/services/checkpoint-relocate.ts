import type { CheckpointRow } from '../database/checkpoints.ts'
import { ProblemError } from '../problems.ts'
import { requireAllowedWithin } from './allowed-paths.ts'
import { placeOf, sameFiles } from './checkpoint-files.ts'
import type { Context } from './context.ts'
import { mountOf } from './drives.ts'

/**
 * Enters where a checkpoint is now that was moved outside Secateur.
 *
 * @throws ProblemError where something else lies there
 */
export async function relocate(context: Context, row: CheckpointRow, path: string): Promise<void> {
  const {
    checkpoints,
    engine,
    options: { platform },
    tasks,
  } = context
  await requireAllowedWithin(platform, [path])
  const folder = await placeOf(path)
  const other = checkpoints.byPath(folder)
  if (other && other.id !== row.id && other.removed === null)
    throw new ProblemError('conflict', `${folder} is in the library already, as ${other.name}.`, { file: folder })
  const inspection = await engine.request('inspect', { checkpoint: folder })
  const { hash } = await tasks.run(
    {
      kind: 'hash',
      title: `Comparing ${row.name} with what is in ${folder}`,
      subject: { kind: 'checkpoint', id: row.id },
    },
    ({ signal, progress }) => engine.request('hash', { folder }, { signal, progress }),
  )
  const same = row.content_hash === null ? sameFiles(row.inspection, inspection, false) : row.content_hash === hash
  if (!same)
    throw new ProblemError(
      'conflict',
      `${folder} does not hold what ${row.name} is: import it as another checkpoint.`,
      { file: folder },
    )
  const mount = await mountOf(folder)
  checkpoints.freePath(folder, row.id)
  checkpoints.update(row.id, {
    path: folder,
    mount,
    status: 'present',
    content_hash: hash,
    inspection: JSON.stringify(inspection),
  })
}
