import { chmodSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** Where both hosts keep the database, runs and copied checkpoints by default. */
export function defaultDataFolder(
  platform: NodeJS.Platform = process.platform,
  env: NodeJS.ProcessEnv = process.env,
  home: string = homedir(),
): string {
  if (platform === 'win32') return join(env['LOCALAPPDATA'] ?? join(home, 'AppData/Local'), 'Secateur')
  if (platform === 'darwin') return join(home, 'Library/Application Support/Secateur')
  return join(env['XDG_DATA_HOME'] || join(home, '.local/share'), 'secateur')
}

/** Makes the folder, which nobody else may look into. Returns its absolute path. */
export function prepareDataFolder(folder: string): string {
  const absolute = resolve(folder)
  mkdirSync(absolute, { recursive: true, mode: 0o700 })
  chmodSync(absolute, 0o700)
  return absolute
}
