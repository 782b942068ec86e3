import { z } from 'zod'

/**
 * How a page of the headless host finds its main side: over a WebSocket at `socketPath` whose first message carries the
 * token of this start. The host answers `readyMessage`; from there on both speak `birpc` in JSON. JSON has no `undefined`:
 * where a method asks nothing, the host takes a `null` for it.
 */
export const socketPath = '/socket'
export const tokenMessageSchema = z.strictObject({ token: z.string().max(200) })
export const readyMessage = { ready: true } as const
/** Close code for a token that the host does not take: it was started anew, or the address was not the one it printed. */
export const refusedCode = 4401
