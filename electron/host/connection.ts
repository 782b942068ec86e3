import { createBirpc } from 'birpc'
import { z } from 'zod'
import type { MainSide, RendererSide } from '../contract/index.ts'
import type { Services } from '../services/types.ts'
import type { Log } from './log.ts'

/** One way to a renderer. */
export interface Channel {
  /** What the other end is called in the log. */
  name: string
  post(text: string): void
}

export interface Connection {
  /** Takes one frame of text as it came. */
  receive(text: string): void
  close(): void
}

/** All that a renderer may send: a call of `call`. */
const requestFrame = z.strictObject({
  t: z.literal('q'),
  i: z.string().min(1).max(100),
  m: z.literal('call'),
  a: z.union([z.tuple([z.string().max(100)]), z.tuple([z.string().max(100), z.unknown()])]),
})

/**
 * Lets a renderer call the services and hear their events, as JSON frames of `birpc`. Frames of any other shape are refused
 * and logged.
 */
export function connectRenderer(services: Services, channel: Channel, log: Log): Connection {
  const main: MainSide = {
    // JSON turns what is not there into null; no method asks for null itself.
    call: (method, input) => services.call(method, input ?? undefined),
  }
  let deliver: ((frame: unknown) => void) | undefined
  const renderer = createBirpc<RendererSide, MainSide>(main, {
    post: (text: string) => channel.post(text),
    on: (listener) => void (deliver = listener),
    serialize: JSON.stringify,
    resolver: (name, resolved) => (Object.hasOwn(main, name) ? resolved : undefined),
    eventNames: ['event'],
    timeout: -1,
    onGeneralError: (error) => {
      log(`${channel.name}: ${error.stack ?? error.message}`)
      return true
    },
  })
  const unsubscribe = services.subscribe((event) => void renderer.event(event))
  return {
    receive(text) {
      const frame = requestFrame.safeParse(parseOrUndefined(text))
      if (frame.success) deliver?.(frame.data)
      else log(`${channel.name}: refused a malformed frame of ${text.length} characters: ${text.slice(0, 80)}`)
    },
    close() {
      unsubscribe()
      renderer.$close()
    },
  }
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
