import { app, type BrowserWindow, crashReporter, dialog, ipcMain, Menu, protocol, shell } from 'electron'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { RunSummary } from '../contract/index.ts'
import type { EngineOptions } from '../engine-client.ts'
import { ProblemError } from '../problems.ts'
import { busyStates } from '../services/run-summary.ts'
import type { SampleFolders, Services } from '../services/types.ts'
import { isTrustedSender, scheme } from './app-scheme.ts'
import { defaultDataFolder, prepareDataFolder } from './data-folder.ts'
import { electronPlatform } from './electron-platform.ts'
import { keepWindowState, lockSession, openWindow } from './electron-window.ts'
import { RefusedRequests } from './refused-requests.ts'
import { openUnlessRunning } from './headless-address.ts'
import { openLog } from './log.ts'
import { menuTemplate } from './menu.ts'

/** The app in a window of its own. Paths are worked out by the entry, which is where it is however it was built. */
export interface ElectronPaths {
  renderer: string
  preload: string
  samples: SampleFolders
  engine: EngineOptions
}

export function startElectron(paths: ElectronPaths): void {
  const { values } = parseArgs({ args: process.argv.slice(1), options: { data: { type: 'string' } }, strict: false })
  const data = prepareDataFolder(typeof values.data === 'string' ? values.data : defaultDataFolder())
  app.setPath('userData', join(data, 'electron'))
  // What crashes leaves a minidump beside the data, and nothing is sent.
  app.setPath('crashDumps', join(data, 'crashes'))
  crashReporter.start({ uploadToServer: false })
  // One instance for each data folder: Electron's lock goes by the folder of the profile.
  if (!app.requestSingleInstanceLock()) return app.quit()
  app.enableSandbox()
  protocol.registerSchemesAsPrivileged([
    { scheme, privileges: { standard: true, secure: true, supportFetchAPI: true } },
  ])

  const stateFile = join(data, 'window.json')
  const log = openLog(join(data, 'electron.log'))
  let window: BrowserWindow | null = null
  let services: Services | null = null
  let quitting = false

  const open = () => {
    window = openWindow({ preload: paths.preload, stateFile, log })
    window.on('closed', () => (window = null))
    window.on('close', (event) => {
      if (quitting || process.platform === 'darwin') return
      event.preventDefault()
      void quitAfterAsking()
    })
  }
  const show = (hash?: string) => {
    if (!window) open()
    if (window!.isMinimized()) window!.restore()
    window!.focus()
    if (hash) window!.webContents.send('go', hash)
  }

  /** Asks the user first, since closing stops the runs and saves their state. */
  async function quitAfterAsking(): Promise<void> {
    if (services && (await anythingRuns(services))) {
      const question = {
        type: 'question' as const,
        message: 'A run is active. Quit nevertheless?',
        detail: 'It is stopped with its state saved, and can be resumed from there.',
        buttons: ['Stop and quit', 'Keep running'],
        defaultId: 1,
        cancelId: 1,
      }
      const { response } = await (window ? dialog.showMessageBox(window, question) : dialog.showMessageBox(question))
      if (response === 1) return
    }
    quitting = true
    if (window) keepWindowState(window, stateFile)
    await services?.close().catch((error: unknown) => log(`closing failed: ${String(error)}`))
    app.exit(0)
  }

  app.on('before-quit', (event) => {
    if (quitting) return
    event.preventDefault()
    void quitAfterAsking()
  })
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin') app.quit()
  })
  app.on('second-instance', () => show())
  app.on('activate', () => show())
  app.on('web-contents-created', (_event, contents) => {
    contents.on('will-attach-webview', (event) => event.preventDefault())
  })

  // Awaiting this at the top of a module would block for ever.
  void app.whenReady().then(async () => {
    const refused = new RefusedRequests()
    lockSession(paths.renderer, refused)
    const platform = electronPlatform(() => window, show, refused)
    try {
      services = await openUnlessRunning({ dataFolder: data, platform, engine: paths.engine, samples: paths.samples })
    } catch (error) {
      dialog.showErrorBox('Secateur cannot start', error instanceof Error ? error.message : String(error))
      if (!(error instanceof ProblemError)) log(String(error))
      return app.exit(1)
    }
    const { call, subscribe } = services
    ipcMain.handle('call', (event, method: unknown, input: unknown) => {
      if (!isTrustedSender(event.senderFrame) || typeof method !== 'string') {
        log(`refused a message of ${event.senderFrame?.url}`)
        return { problem: { kind: 'refused', message: 'This page may not ask that.' } }
      }
      return call(method, input)
    })
    subscribe((event) => window?.webContents.send('event', event))
    Menu.setApplicationMenu(
      Menu.buildFromTemplate(
        menuTemplate(
          { platform: process.platform, packaged: app.isPackaged },
          {
            go: show,
            openDataFolder: () => void shell.openPath(data),
            openSample: (sample) => void shell.openPath(paths.samples[sample]),
          },
        ),
      ),
    )
    open()
    log(`started ${app.getVersion()} with ${data}`)
  })
}

async function anythingRuns(services: Services): Promise<boolean> {
  const answer = await services.call('runs.active', undefined)
  if (!('ok' in answer)) return false
  return (answer.ok as RunSummary[]).some(({ state }) => busyStates.includes(state))
}
