import { enableCompileCache, flushCompileCache } from 'node:module'
import { compiledFolder } from '../../shared/cache-folder.ts'

/** Lets Node keep what it compiles from now on: a process that loads the same modules again starts in half the time. */
export function keepCompiled(): void {
  enableCompileCache(compiledFolder())
  // It is written at the end otherwise, which a process that is killed never comes to.
  setTimeout(flushCompileCache, 5000).unref()
}
