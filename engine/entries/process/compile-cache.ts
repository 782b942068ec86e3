import { enableCompileCache, flushCompileCache } from 'node:module'
import { join } from 'node:path'
import { cacheFolder } from '../../shared/cache-folder.ts'

/**
 * Lets Node keep what it compiles from now on: a process that loads the same modules again starts in half the time. The
 * folder is the user's own: a common one in the system's temporary folder could be filled by others.
 */
export function keepCompiled(): void {
  enableCompileCache(join(cacheFolder(), 'compiled'))
  // It is written at the end otherwise, which a process that is killed never comes to.
  setTimeout(flushCompileCache, 5000).unref()
}
