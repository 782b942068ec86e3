import { dirname, resolve } from 'node:path'
import { isWithin } from '../../engine/shared/allowed-folders.ts'
import type { Method, ParsedRequest } from '../contract/index.ts'
import type { Platform } from '../platform.ts'
import { ProblemError } from '../problems.ts'
import { linksIn, realPathOf } from './real-paths.ts'

/**
 * Refuses paths that the host may not touch, after all links are followed as the system follows them. What is kept, in the
 * database or in a run folder, is asked for again whenever it is used: it may have become a link since.
 *
 * @throws ProblemError of kind `refused` which names the first such path; of kind `bad-file` where it is in a folder that is
 *   allowed and not here
 */
export async function requireAllowed(platform: Platform, paths: readonly string[]): Promise<void> {
  const { allowedFolders } = platform
  if (allowedFolders === null) return
  for (const path of paths) {
    const real = await realPathOf(path)
    if (isWithin(real, allowedFolders)) continue
    const absent = platform.absentFolders.find((folder) => isWithin(real, [folder]))
    if (absent !== undefined)
      throw new ProblemError('bad-file', `${absent} is not here now: connect its drive, then try again.`, {
        file: path,
      })
    const named = real === resolve(path) ? path : `${path} leads to ${real}, which`
    throw new ProblemError(
      'refused',
      `${named} is outside the folders that Secateur may use here. Start it with --allow ${dirname(real)} to let it.`,
      { file: path },
    )
  }
}

/**
 * As `requireAllowed`, and for folders that are read or written as a whole: no link in them may lead out of what is allowed.
 *
 * @throws ProblemError of kind `refused` which names the first such path or link
 */
export async function requireAllowedWithin(platform: Platform, paths: readonly string[]): Promise<void> {
  await requireAllowed(platform, paths)
  if (platform.allowedFolders === null) return
  for (const path of paths) await requireAllowed(platform, await linksIn(await realPathOf(path)))
}

type PathsOf = { [M in Method]?: (input: ParsedRequest<M>) => (string | undefined)[] }

/** Where requests carry paths; those of a job are known once it was parsed: see job-paths.ts. */
const pathsIn: PathsOf = {
  'folders.open': ({ path }) => [path],
  'settings.set': ({ runsFolder, checkpointsFolder }) => [runsFolder, checkpointsFolder],
  'library.import': ({ path, to }) => [path, to],
  'library.move': ({ to }) => [to],
  'libraryFolders.add': ({ path }) => [path],
  'libraryFolders.drive': ({ path }) => [path],
  'library.relocate': ({ path }) => [path],
  'library.exportPlace': ({ folder }) => [folder],
  'library.export': ({ to }) => [to],
  'datasets.register': ({ path }) => [path],
  'datasets.relocate': ({ path }) => [path],
  'runs.estimate': ({ folder }) => [folder],
  'runs.check': ({ folder }) => [folder],
  'runs.create': ({ folder }) => [folder],
  'runs.export': ({ to }) => [to],
  'runs.importArchive': ({ path }) => [path],
  'runs.importFolder': ({ path }) => [path],
  'images.thumbnails': ({ images }) => images.map(({ file }) => file),
}

/** The paths that a request carries. */
export function pathsOfRequest<M extends Method>(method: M, input: ParsedRequest<M>): string[] {
  return (pathsIn[method]?.(input) ?? []).filter((path) => path !== undefined)
}
