import { BrowserWindow, dialog, screen, session } from 'electron'
import { answerAppRequest, isAppAddress, mayLoad, scheme, startAddress } from './app-scheme.ts'
import type { Log } from './log.ts'
import type { RefusedRequests } from './refused-requests.ts'
import { placeWindow, readWindowState, smallest, writeWindowState } from './window-state.ts'

export interface WindowOptions {
  /** The built preload script. */
  preload: string
  stateFile: string
  log: Log
}

const mayHave = (permission: string) => permission === 'clipboard-sanitized-write'

/** Lets pages load the renderer's files and nothing else, and grants no permission but writing to the clipboard. */
export function lockSession(renderer: string, refused: RefusedRequests): void {
  const { defaultSession } = session
  defaultSession.setPermissionRequestHandler((_contents, permission, grant) => grant(mayHave(permission)))
  defaultSession.setPermissionCheckHandler((_contents, permission) => mayHave(permission))
  defaultSession.setDevicePermissionHandler(() => false)
  defaultSession.webRequest.onBeforeRequest(({ url }, answer) => {
    const cancel = !mayLoad(url)
    if (cancel) refused.add(url)
    answer({ cancel })
  })
  defaultSession.protocol.handle(scheme, (request) => answerAppRequest(renderer, request))
}

/** Opens the window where it was last closed. Shows it when the page has been drawn. */
export function openWindow({ preload, stateFile, log }: WindowOptions): BrowserWindow {
  const primary = screen.getPrimaryDisplay()
  const displays = [primary, ...screen.getAllDisplays().filter(({ id }) => id !== primary.id)]
  const { maximised, ...bounds } = placeWindow(
    readWindowState(stateFile),
    displays.map(({ workArea }) => workArea),
  )
  const window = new BrowserWindow({
    ...bounds,
    minWidth: smallest.width,
    minHeight: smallest.height,
    title: 'Secateur',
    show: false,
    webPreferences: {
      preload,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webSecurity: true,
      webviewTag: false,
      spellcheck: false,
    },
  })
  if (maximised) window.maximize()
  window.once('ready-to-show', () => window.show())
  window.on('close', () => keepWindowState(window, stateFile))
  lockContents(window, log)
  recover(window, log)
  void window.loadURL(startAddress)
  return window
}

/** Saves the window's position for the next start. */
export function keepWindowState(window: BrowserWindow, stateFile: string): void {
  writeWindowState(stateFile, { ...window.getNormalBounds(), maximised: window.isMaximized() })
}

function lockContents({ webContents }: BrowserWindow, log: Log): void {
  const refuse = (what: string, address: string) => log(`refused ${what}: ${address}`)
  webContents.on('will-navigate', (event) => {
    if (isAppAddress(event.url)) return
    event.preventDefault()
    refuse('to go to', event.url)
  })
  webContents.on('will-redirect', (event) => event.preventDefault())
  webContents.on('will-attach-webview', (event) => event.preventDefault())
  webContents.setWindowOpenHandler(({ url }) => {
    refuse('to open a window', url)
    return { action: 'deny' }
  })
}

/** Loads the page again after its process crashed; asks first where it crashes again and again. Runs go on meanwhile. */
function recover(window: BrowserWindow, log: Log): void {
  let crashes: number[] = []
  window.webContents.on('render-process-gone', (_event, { reason, exitCode }) => {
    log(`the page's process is gone: ${reason} (${exitCode})`)
    if (reason === 'clean-exit' || window.isDestroyed()) return
    crashes = [...crashes.filter((time) => time > Date.now() - 60_000), Date.now()]
    if (crashes.length < 3) return window.webContents.reload()
    const answer = dialog.showMessageBoxSync(window, {
      type: 'error',
      message: 'The window keeps crashing.',
      detail: 'Runs go on in the meantime. The log in the data folder says more.',
      buttons: ['Try again', 'Close window'],
      defaultId: 0,
      cancelId: 1,
    })
    if (answer === 0) window.webContents.reload()
    else window.destroy()
  })
  window.on('unresponsive', () => {
    const answer = dialog.showMessageBoxSync(window, {
      type: 'warning',
      message: 'The window does not respond.',
      detail: 'Runs go on in the meantime.',
      buttons: ['Wait', 'Load it again'],
      defaultId: 0,
      cancelId: 0,
    })
    if (answer === 1) window.webContents.forcefullyCrashRenderer()
  })
}
