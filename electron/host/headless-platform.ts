import { realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { isWithin } from '../../engine/shared/allowed-folders.ts'
import type { Platform } from '../platform.ts'
import { ProblemError } from '../problems.ts'
import { realPathOf } from '../services/real-paths.ts'
import type { SampleFolders } from '../services/types.ts'
import { hasDisplay, notifyWithSystem, openWithSystem, startKeepingAwake, trashWithSystem } from './desktop.ts'
import type { Log } from './log.ts'

/** What the headless host gives: the folder browser in place of dialogs, and the programs of the system where it has them. */
export function headlessPlatform({ found, awaited }: AllowedFolders, log: Log): Platform {
  let letSleep: (() => void) | null = null
  return {
    host: 'headless',
    nativeDialogs: false,
    canOpenFolders: hasDisplay(),
    get allowedFolders() {
      return [...found, ...awaited.filter(isThere)]
    },
    get absentFolders() {
      return awaited.filter((folder) => !isThere(folder))
    },
    async choose() {
      throw new ProblemError('unsupported', 'There are no dialogs of the system here: use the folder browser.')
    },
    async openFolder(path) {
      if (!hasDisplay()) throw new ProblemError('unsupported', `This machine has no display to show ${path} on.`)
      await openWithSystem(path)
    },
    async trash(path) {
      try {
        await trashWithSystem(path)
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        throw new ProblemError('unsupported', `It could not be moved to the trash: ${reason}`, {
          file: path,
          cause: error,
        })
      }
    },
    notify(title, body, runId) {
      log(`run ${runId}: ${title}: ${body}`)
      notifyWithSystem(title, body)
    },
    keepAwake(awake) {
      if (awake) letSleep ??= startKeepingAwake()
      else {
        letSleep?.()
        letSleep = null
      }
    },
    showProgress() {
      // There is no task bar: the page shows it in its title.
    },
  }
}

/** The folders that may be browsed, without links. */
export interface AllowedFolders {
  /** Those that were there at the start. */
  found: readonly string[]
  /** Those that were not, such as on a drive that is not plugged in: they may be browsed while they are. */
  awaited: readonly string[]
}

/**
 * Home, the data folder, the samples, and the folders that were named. Where a name leads is settled at the start also where
 * nothing is there yet, so that a link which appears later lets nobody further.
 *
 * @throws ProblemError where links lead round in a circle
 */
export async function foldersToAllow(
  dataFolder: string,
  { text, images }: SampleFolders,
  named: readonly string[],
): Promise<AllowedFolders> {
  const found = new Set<string>()
  const awaited = new Set<string>()
  for (const folder of [homedir(), dataFolder, text, images, ...named]) {
    const real = await realPathOf(folder)
    if (isThere(real)) found.add(real)
    else awaited.add(real)
  }
  return { found: [...found], awaited: [...awaited] }
}

/** Whether a folder is where its real path says. */
function isThere(folder: string): boolean {
  try {
    return isWithin(realpathSync(folder), [folder])
  } catch {
    return false
  }
}
