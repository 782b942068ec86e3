import type { ConnectionState } from './transport.ts'

class Connection {
  state = $state<ConnectionState>('connecting')
  /** Counts the times that a connection was made: whatever was read before the last one may be stale. */
  epoch = $state(0)

  /** Called by the transport. */
  moved(state: ConnectionState) {
    if (state === 'open' && this.state !== 'open') this.epoch++
    this.state = state
  }
}

export const connection = new Connection()
