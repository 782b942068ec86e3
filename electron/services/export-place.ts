import { join } from 'node:path'
import { modelName } from '../../engine/shared/model-name.ts'
import type { ParsedRequest } from '../contract/index.ts'
import type { Context } from './context.ts'
import { exists } from './files.ts'
import { busyStates } from './run-summary.ts'

type Wanted = Pick<ParsedRequest<'library.exportPlace'>, 'format' | 'type' | 'folder'>

/** The first name in a folder for the export of a checkpoint of that name that neither the disk nor a queued run has. */
export async function freeExportPlace(
  { runs, settings }: Context,
  name: string,
  { format, type, folder = settings().checkpointsFolder }: Wanted,
): Promise<string> {
  // Names of the other programs' files are written so.
  const stem = `${fileName(name)}-${format === 'gguf' ? type.toUpperCase() : type === 'same' ? format : `${format}-${type}`}`
  const ending = format === 'gguf' ? '.gguf' : ''
  const isTaken = async (path: string) => {
    const other = runs.byFolder(path)
    return (await exists(path)) || (other !== undefined && ['queued', ...busyStates].includes(other.state))
  }
  let place = join(folder, stem + ending)
  for (let number = 2; await isTaken(place); number++) place = join(folder, `${stem}-${number}${ending}`)
  return place
}

/** The place of an export that names none. What is no export job is refused by whoever parses it. */
export async function placeOfExport(context: Context, job: Record<string, unknown>): Promise<string> {
  const text = (name: string, otherwise: string) => (typeof job[name] === 'string' ? job[name] : otherwise)
  const path = text('checkpoint', '')
  const name = context.checkpoints.byPath(path)?.name ?? modelName(path)
  const format = text('format', 'gguf') as Wanted['format']
  return await freeExportPlace(context, name, {
    format,
    type: text(format === 'gguf' ? 'type' : 'dtype', format === 'gguf' ? 'f16' : 'same'),
  })
}

/** A name as the name of a file. */
export const fileName = (name: string): string =>
  name
    .replaceAll(/[^\p{L}\p{N}._-]+/gu, '-')
    .replaceAll(/^[.-]+|[.-]+$/g, '')
    .slice(0, 100) || 'model'
