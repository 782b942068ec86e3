import { homedir } from 'node:os'
import { join } from 'node:path'

/** Folder for what can be measured or made again; XDG_CACHE_HOME, or what the system has in its place. */
export function cacheFolder(): string {
  const { XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = process.env
  if (xdg) return join(xdg, 'secateur')
  if (process.platform === 'win32' && local) return join(local, 'secateur', 'cache')
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'secateur')
  return join(homedir(), '.cache', 'secateur')
}

/** Folder of what Node compiled: it is the user's own, since others could fill a common one in the temporary folder. */
export const compiledFolder = (): string => join(cacheFolder(), 'compiled')
