import type { AppEvent, MainSide } from '../../../electron/contract.ts'

/**
 * `connecting`: not there yet, requests wait. `lost`: was there, and is being sought again; requests fail. `refused`: the
 * host does not take our token, so that trying again is of no use.
 */
export type ConnectionState = 'connecting' | 'open' | 'lost' | 'refused'

export interface TransportListener {
  event(event: AppEvent): void
  state(state: ConnectionState): void
}

/** What carries contract A. */
export interface Transport {
  call: MainSide['call']
}

/** What Electron's preload script puts on the window. */
export interface WindowBridge {
  call: MainSide['call']
  subscribe(listener: (event: AppEvent) => void): () => void
  /** Path of a file or folder that was dropped on the window. */
  pathOf?(file: File): string
}

declare global {
  interface Window {
    secateur?: WindowBridge
  }
}
