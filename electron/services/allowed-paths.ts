import { realpath } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path'
import type { Method, ParsedRequest } from '../contract/index.ts'
import type { Platform } from '../platform.ts'
import { ProblemError } from '../problems.ts'

/** Whether a real path is one of the folders or below it. */
export function isWithin(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => {
    const way = relative(folder, path)
    return way === '' || (way !== '..' && !/^\.\.[\\/]/.test(way) && !isAbsolute(way))
  })
}

/**
 * Refuses paths that the host may not touch, after all links are followed. Of what does not exist yet, the folder that it
 * would be made in counts.
 *
 * @throws ProblemError of kind `refused` which names the first such path
 */
export async function requireAllowed({ allowedFolders }: Platform, paths: readonly string[]): Promise<void> {
  if (allowedFolders === null) return
  for (const path of paths) {
    if (isWithin(await realPathOf(resolve(path)), allowedFolders)) continue
    throw new ProblemError(
      'refused',
      `${path} is outside the folders that Secateur may read here. Start it with --allow ${dirname(resolve(path))} to let it.`,
      { file: path },
    )
  }
}

async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    const parent = dirname(path)
    if (parent === path) throw error
    return join(await realPathOf(parent), basename(path))
  }
}

type PathsOf = { [M in Method]?: (input: ParsedRequest<M>) => (string | undefined)[] }

/** Where requests carry paths; those of a job are known once it was parsed: see job-paths.ts. */
const pathsIn: PathsOf = {
  'folders.open': ({ path }) => [path],
  'settings.set': ({ runsFolder, checkpointsFolder }) => [runsFolder, checkpointsFolder],
  'library.import': ({ path }) => [path],
  'library.relocate': ({ path }) => [path],
  'library.export': ({ to }) => [to],
  'datasets.register': ({ path }) => [path],
  'datasets.relocate': ({ path }) => [path],
  'runs.export': ({ to }) => [to],
  'runs.importArchive': ({ path }) => [path],
  'runs.importFolder': ({ path }) => [path],
}

/** The paths that a request carries. */
export function pathsOfRequest<M extends Method>(method: M, input: ParsedRequest<M>): string[] {
  return (pathsIn[method]?.(input) ?? []).filter((path) => path !== undefined)
}
