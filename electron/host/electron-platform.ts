import { type BrowserWindow, dialog, Notification, powerSaveBlocker, shell } from 'electron'
import type { Platform } from '../platform.ts'
import { ProblemError } from '../problems.ts'
import type { RefusedRequests } from './refused-requests.ts'

/** What Electron gives. `window` is null while there is none; `show` brings up the window with an address. */
export function electronPlatform(
  window: () => BrowserWindow | null,
  show: (hash: string) => void,
  refused: RefusedRequests,
): Platform {
  let blocker: number | null = null
  return {
    host: 'electron',
    nativeDialogs: true,
    canOpenFolders: true,
    allowedFolders: null,
    absentFolders: [],
    async choose(kind, title) {
      const options = {
        title,
        properties: [kind === 'folder' ? ('openDirectory' as const) : ('openFile' as const)],
        ...(kind === 'archive' && { filters: [{ name: 'Archive of a run', extensions: ['gz'] }] }),
      }
      const parent = window()
      const chosen = await (parent ? dialog.showOpenDialog(parent, options) : dialog.showOpenDialog(options))
      return chosen.canceled ? null : (chosen.filePaths[0] ?? null)
    },
    async openFolder(path) {
      const problem = await shell.openPath(path)
      if (problem) throw new ProblemError('bad-file', problem, { file: path })
    },
    async trash(path) {
      try {
        await shell.trashItem(path)
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        throw new ProblemError('unsupported', `It could not be moved to the trash: ${reason}`, {
          file: path,
          cause: error,
        })
      }
    },
    notify(title, body, runId) {
      if (!Notification.isSupported()) return
      const notification = new Notification({ title, body })
      notification.on('click', () => show(`#/runs/${runId}`))
      notification.show()
    },
    keepAwake(awake) {
      if (awake) blocker ??= powerSaveBlocker.start('prevent-app-suspension')
      else if (blocker !== null) {
        powerSaveBlocker.stop(blocker)
        blocker = null
      }
    },
    refusedRequests: () => refused.soFar,
    showProgress(fraction) {
      window()?.setProgressBar(fraction ?? -1)
    },
  }
}
