import { contextBridge, ipcRenderer, webUtils } from 'electron'
import type { AppEvent, WindowBridge } from './contract/index.ts'

declare const location: { hash: string }

/** The one thing that the page is given: contract A over Electron's channel. Built as one CommonJS file for the sandbox. */
const bridge: WindowBridge = {
  call: (method, input) => ipcRenderer.invoke('call', method, input),
  subscribe(listener) {
    const heard = (_event: unknown, event: AppEvent) => listener(event)
    ipcRenderer.on('event', heard)
    return () => void ipcRenderer.off('event', heard)
  },
  pathOf: (file) => webUtils.getPathForFile(file as Parameters<typeof webUtils.getPathForFile>[0]),
}
contextBridge.exposeInMainWorld('secateur', bridge)
// The menu and notifications show a screen by its address, as a link of the page would.
ipcRenderer.on('go', (_event, hash: string) => (location.hash = hash))
