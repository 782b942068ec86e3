import { realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import type { Platform } from '../platform.ts'
import { ProblemError } from '../problems.ts'
import type { SampleFolders } from '../services/types.ts'
import { hasDisplay, notifyWithSystem, openWithSystem, startKeepingAwake, trashWithSystem } from './desktop.ts'
import type { Log } from './log.ts'

/** What the headless host gives: the folder browser in place of dialogs, and the programs of the system where it has them. */
export function headlessPlatform(allowedFolders: readonly string[], log: Log): Platform {
  let letSleep: (() => void) | null = null
  return {
    host: 'headless',
    nativeDialogs: false,
    canOpenFolders: hasDisplay(),
    allowedFolders,
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

/**
 * The folders that may be browsed, without links: home, the data folder, the samples, and those that were named.
 *
 * @throws ProblemError where one of them does not exist
 */
export function foldersToAllow(
  dataFolder: string,
  { text, images }: SampleFolders,
  named: readonly string[],
): string[] {
  const found = [homedir(), dataFolder, text, images, ...named].map((folder) => {
    try {
      return realpathSync(folder)
    } catch (error) {
      throw new ProblemError('bad-setting', `--allow ${folder}: there is no such folder.`, { cause: error })
    }
  })
  return [...new Set(found)]
}
