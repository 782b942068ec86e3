import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Inputs that once failed. They are not part of the project: `options`, for `test`, skips where they are missing. */
export function sharedCase(name: string): { options: { skip: string | false }; path: (file: string) => string } {
  const folder = join(import.meta.dirname, '../../shared/cases', name)
  return {
    options: { skip: existsSync(folder) ? false : `the shared case ${name} is not on this machine` },
    path: (file) => join(folder, file),
  }
}
