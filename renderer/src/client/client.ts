import * as z from 'zod'
import {
  events,
  methods,
  type Answer,
  type AppEvent,
  type EventName,
  type Events,
  type Method,
  type Request,
} from '../../../electron/contract/index.ts'
import { openBridge } from './bridge.ts'
import { connection } from './connection.svelte.ts'
import { asProblem, disconnected, Problem } from './problem.ts'
import { openSocket } from './socket.ts'
import { takeToken } from './token.ts'
import type { Transport } from './transport.ts'

// The content security policy allows no code from text, and zod would try.
z.config({ jitless: true })

type Listener<E extends EventName> = (payload: Events[E]) => void
const listeners = new Map<EventName, Set<(payload: never) => void>>()
let transport: Transport | null = null

/** Opens the way to the main side: the window's bridge where there is one, else a WebSocket. Called once, at start. */
export async function connect(): Promise<void> {
  const listener = { event: dispatch, state: connection.moved.bind(connection) }
  transport = window.secateur ? openBridge(window.secateur, listener) : openSocket(await takeToken(), listener)
}

/** Asks the main side. Throws a `Problem`. Before the first connection it waits; while the connection is lost it fails. */
export async function call<M extends Method>(
  method: M,
  ...input: undefined extends Request<M> ? [input?: Request<M>] : [input: Request<M>]
): Promise<Answer<M>> {
  let envelope
  try {
    if (!transport) throw disconnected()
    // Values of a proxy would not survive the bridge's structured clone.
    envelope = await transport.call(method, input[0] === undefined ? undefined : plain(input[0]))
  } catch (error) {
    throw asProblem(error)
  }
  if ('problem' in envelope) throw new Problem(envelope.problem)
  const answer = methods[method][1].safeParse(envelope.ok)
  if (!answer.success) {
    throw new Problem({
      kind: 'internal',
      message: `Answer to ${method} not understood: ${z.prettifyError(answer.error)}`,
    })
  }
  return answer.data as Answer<M>
}

/** Runes hand out proxies; requests are plain JSON. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** Hears of an event until the returned function is called. */
export function onEvent<E extends EventName>(name: E, listener: Listener<E>): () => void {
  let set = listeners.get(name)
  if (!set) listeners.set(name, (set = new Set()))
  set.add(listener)
  return () => set.delete(listener)
}

function dispatch(event: AppEvent) {
  if (!Object.hasOwn(events, event.name)) return console.warn(`Unknown event ${event.name}`)
  const payload = events[event.name].safeParse(event.payload)
  if (!payload.success) return console.warn(`Event ${event.name} not understood: ${z.prettifyError(payload.error)}`)
  for (const listener of listeners.get(event.name) ?? []) (listener as (payload: unknown) => void)(payload.data)
}
