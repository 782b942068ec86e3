import type { AppEvent, MainSide, WindowBridge } from '../../../electron/contract/index.ts'

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

declare global {
  interface Window {
    secateur?: WindowBridge
  }
}
