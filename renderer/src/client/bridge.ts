import type { WindowBridge } from '../../../electron/contract/index.ts'
import type { Transport, TransportListener } from './transport.ts'

/** Talks to the main side through Electron's preload script. */
export function openBridge(bridge: WindowBridge, listener: TransportListener): Transport {
  bridge.subscribe((event) => listener.event(event))
  listener.state('open')
  return { call: (method, input) => bridge.call(method, input) }
}
