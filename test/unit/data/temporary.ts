import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after } from 'node:test'

/** A folder for a test file's fixtures, removed when its tests are done. */
export function temporaryFolder(): { path: string; write(name: string, content: string | Uint8Array): string } {
  const path = mkdtempSync(join(tmpdir(), 'secateur-data-'))
  after(() => rmSync(path, { recursive: true, force: true }))
  return {
    path,
    write(name, content) {
      const file = join(path, name)
      writeFileSync(file, content)
      return file
    },
  }
}

/** Real data beside the repository; tests that need it are skipped where it is missing. */
export const sharedData = resolve(import.meta.dirname, '../../../../shared/data')
