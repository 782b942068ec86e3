import { basename, join, resolve } from 'node:path'
import { modelName } from '../../engine/shared/model-name.ts'
import type { ParsedRequest } from '../contract/index.ts'
import { requireAllowed, requireAllowedWithin } from './allowed-paths.ts'
import { copyCheckpoint, folderOf } from './checkpoint-files.ts'
import { refuseTwin } from './checkpoint-twins.ts'
import type { Context } from './context.ts'
import { requireRoom } from './drives.ts'
import { fileName } from './export-place.ts'
import { freeName } from './files.ts'

/**
 * Copies a checkpoint into a folder of the library, under its own name or the one that it is to have.
 *
 * @returns the copy: a folder, or its GGUF file
 * @throws ProblemError where there is no checkpoint, the library has it already and that is not wanted, or it does not fit
 */
export async function copyIn(
  { checkpoints, engine, options, settings, tasks }: Context,
  { path, twins, to: place, name }: Omit<ParsedRequest<'library.import'>, 'mode'>,
): Promise<string> {
  const { platform } = options
  await requireAllowedWithin(platform, [path])
  // Refuse a folder that holds no checkpoint before anything is copied.
  const inspection = await engine.request('inspect', { checkpoint: resolve(path) })
  if (twins === 'refuse') await refuseTwin({ checkpoints, engine, tasks }, inspection)
  const { folder: from, files } = inspection
  const called = name === undefined ? modelName(from) : fileName(name)
  const to = await freeName(join(place ?? settings().checkpointsFolder, called))
  await requireAllowed(platform, [to])
  await requireRoom(to, files)
  await tasks.run({ kind: 'copy', title: `Copying ${name ?? modelName(path)}`, subject: null }, (control) =>
    copyCheckpoint(inspection, from, to, control),
  )
  return from === folderOf(inspection, from) ? to : join(to, basename(from))
}
