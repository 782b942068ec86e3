import { createBirpc } from 'birpc'
import {
  readyMessage,
  refusedCode,
  socketPath,
  type MainSide,
  type RendererSide,
} from '../../../electron/contract/index.ts'
import { backOff } from './backoff.ts'
import { disconnected } from './problem.ts'
import type { Transport, TransportListener } from './transport.ts'

/**
 * Talks to the headless host over a WebSocket of our own origin. The first message carries the token, and the host answers
 * it with `readyMessage`; everything after that is birpc. A lost connection is sought again with growing pauses.
 */
export function openSocket(token: string | null, listener: TransportListener): Transport {
  if (!token) {
    listener.state('refused')
    return { call: () => Promise.reject(disconnected()) }
  }
  let remote: ((method: string, input: unknown) => ReturnType<MainSide['call']>) | null = null
  let wasOpen = false
  let attempt = 0
  let retry: ReturnType<typeof setTimeout> | undefined
  const waiting: { start: () => void; fail: (error: Error) => void }[] = []

  function connect() {
    clearTimeout(retry)
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
    const socket = new WebSocket(`${scheme}://${location.host}${socketPath}`)
    let receive: ((text: string) => void) | undefined
    const rpc = createBirpc<MainSide, RendererSide>(
      { event: (event) => listener.event(event) },
      {
        post: (text: string) => socket.send(text),
        on: (fn) => {
          receive = fn
        },
        serialize: JSON.stringify,
        deserialize: JSON.parse,
        timeout: -1,
        resolver: (name, resolved) => (name === 'event' ? resolved : undefined),
      },
    )
    socket.addEventListener('open', () => socket.send(JSON.stringify({ token })))
    socket.addEventListener('message', ({ data }) => {
      if (remote) return receive?.(String(data))
      if (data !== JSON.stringify(readyMessage)) return socket.close()
      remote = (method, input) => rpc.call(method, input)
      wasOpen = true
      attempt = 0
      listener.state('open')
      for (const { start } of waiting.splice(0)) start()
    })
    socket.addEventListener('close', ({ code }) => {
      remote = null
      rpc.$close(disconnected())
      if (code === refusedCode) {
        for (const { fail } of waiting.splice(0)) fail(disconnected())
        return listener.state('refused')
      }
      listener.state(wasOpen ? 'lost' : 'connecting')
      retry = setTimeout(connect, backOff(attempt++))
    })
  }
  connect()

  return {
    call(method, input) {
      if (remote) return remote(method, input)
      if (wasOpen) return Promise.reject(disconnected())
      return new Promise((resolve, reject) => {
        waiting.push({ start: () => resolve(remote!(method, input)), fail: reject })
      })
    },
  }
}
