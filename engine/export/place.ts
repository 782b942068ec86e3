import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { ExportJob } from '../contract/index.ts'
import { badFile } from '../shared/errors.ts'
import { refuseExisting, refuseExistingFile } from '../shared/files.ts'
import { explained } from '../shared/system-errors.ts'

/**
 * Refuses a place where nothing can be put, before anything is read or computed: minutes may lie between.
 *
 * @throws SecateurError that names the file or folder that is in the way
 */
export function checkPlace({ format, out }: ExportJob): void {
  if (format === 'gguf') refuseExistingFile(resolve(out))
  else refuseExisting(resolve(out))
  let folder = dirname(resolve(out))
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder)
  if (!statSync(folder).isDirectory())
    throw badFile(resolve(out), undefined, `cannot be made: ${folder} is a file, not a folder`)
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw explained(folder, error)
  }
}
