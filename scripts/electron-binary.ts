import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Electron's binary where it was downloaded; null where it was not. Importing `electron` itself would download it. */
export function electronBinary(root: string, env: NodeJS.ProcessEnv = process.env): string | null {
  const folder = join(root, 'node_modules/electron')
  const named = join(folder, 'path.txt')
  if (!existsSync(named)) return null
  const file = join(env['ELECTRON_OVERRIDE_DIST_PATH'] ?? join(folder, 'dist'), readFileSync(named, 'utf8').trim())
  return existsSync(file) ? file : null
}
