import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from './fixtures.ts'

/**
 * A folder for one file of specs, to be called at its top: paths in it are known once its tests run. It is made then, since
 * the file is read to collect its tests too, and what that made nobody would remove.
 */
export function scratchFolder(name: string): (...path: string[]) => string {
  let folder: string | undefined
  test.beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), `secateur-${name}-`))
  })
  test.afterAll(() => {
    if (folder) rmSync(folder, { recursive: true, force: true })
  })
  return (...path) => {
    if (!folder) throw new Error('the scratch folder is made once the tests run')
    return join(folder, ...path)
  }
}
