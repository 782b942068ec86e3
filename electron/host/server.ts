import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import { readyMessage, refusedCode, socketPath, tokenMessageSchema } from '../contract/connection.ts'
import type { Services } from '../services/types.ts'
import { type Connection, connectRenderer } from './connection.ts'
import type { Log } from './log.ts'
import { contentSecurityPolicy, end, sendFile } from './static-files.ts'

export interface ServerOptions {
  services: Services
  /** Folder of the built renderer. */
  renderer: string
  /** 0 for any free port. */
  port: number
  log: Log
}

export interface Server {
  port: number
  /** Address with the token of this start in its fragment, which a browser sends to nobody. */
  address: string
  close(): Promise<void>
}

export const limits = {
  /** Of one message from a page; the largest that a page sends is a job with all its prompts. */
  messageBytes: 2 << 20,
  /** That may wait for a page to take them, before it is dropped; a page reads everything anew when it comes back. */
  waitingBytes: 16 << 20,
  connections: 32,
  /** Within which the token must come. */
  tokenMilliseconds: 5000,
  /** After which a page that answers no ping is dropped. */
  silenceMilliseconds: 30_000,
}

/**
 * Serves the renderer and its connection to the services on 127.0.0.1 alone. Files are public; everything else needs the
 * token. Requests by any name but this machine's are refused, so that a foreign site cannot have its own name resolve to
 * here, and so are connections of pages from elsewhere.
 */
export async function startServer({ services, renderer, port, log }: ServerOptions): Promise<Server> {
  const token = randomBytes(32).toString('base64url')
  const http = createServer({ requestTimeout: 10_000, headersTimeout: 5000 }, (request, response) => {
    answer(request, response, renderer, log).catch((error: unknown) => {
      log(`${nameOf(request)}: ${request.method} ${request.url} failed: ${String(error)}`)
      response.destroy()
    })
  })
  http.maxConnections = 256
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.messageBytes,
    perMessageDeflate: false,
    clientTracking: true,
  })
  http.on('upgrade', (request, socket: Duplex, head) => {
    socket.on('error', () => {})
    const refusal = refusalOf(request, sockets.clients.size)
    if (refusal) return refuseUpgrade(socket, refusal, request, log)
    sockets.handleUpgrade(request, socket, head, (client) => serve(client, nameOf(request)))
  })

  function serve(client: WebSocket, name: string): void {
    let connection: Connection | null = null
    let heard = Date.now()
    const refuse = (code: number, reason: string) => {
      log(`${name}: refused: ${reason}`)
      client.close(code, reason)
      setTimeout(() => client.terminate(), 1000).unref()
    }
    const late = setTimeout(() => refuse(refusedCode, 'no token came'), limits.tokenMilliseconds)
    const pulse = setInterval(() => {
      if (Date.now() - heard < limits.silenceMilliseconds) return client.ping()
      log(`${name}: dropped: it no longer answers`)
      client.terminate()
    }, limits.silenceMilliseconds / 3)
    const post = (text: string) => {
      if (client.readyState !== client.OPEN) return
      if (client.bufferedAmount <= limits.waitingBytes) return client.send(text)
      log(`${name}: dropped: it takes its messages too slowly`)
      client.terminate()
    }
    client.on('pong', () => (heard = Date.now()))
    client.on('message', (data, isBinary) => {
      heard = Date.now()
      if (connection) {
        if (isBinary) log(`${name}: refused a binary frame`)
        else connection.receive(textOf(data))
        return
      }
      if (client.readyState !== client.OPEN) return
      clearTimeout(late)
      if (isBinary || !hasToken(textOf(data), token)) return refuse(refusedCode, 'the token is wrong')
      connection = connectRenderer(services, { name, post }, log)
      client.send(JSON.stringify(readyMessage))
    })
    client.on('error', (error) => log(`${name}: ${error.message}`))
    client.on('close', () => {
      clearTimeout(late)
      clearInterval(pulse)
      connection?.close()
    })
  }

  await new Promise<void>((resolve, reject) => {
    http.once('error', reject)
    http.listen(port, '127.0.0.1', () => resolve())
  })
  const listening = (http.address() as AddressInfo).port
  return {
    port: listening,
    address: `http://127.0.0.1:${listening}/#token=${token}`,
    async close() {
      for (const client of sockets.clients) client.close(1001, 'Secateur is closing')
      const closed = new Promise<void>((resolve) => http.close(() => resolve()))
      setTimeout(() => {
        for (const client of sockets.clients) client.terminate()
        http.closeAllConnections()
      }, 500).unref()
      await closed
    },
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, renderer: string, log: Log): Promise<void> {
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('referrer-policy', 'no-referrer')
  response.setHeader('cross-origin-opener-policy', 'same-origin')
  response.setHeader('cross-origin-embedder-policy', 'require-corp')
  response.setHeader('cross-origin-resource-policy', 'same-origin')
  const { host = '' } = request.headers
  let status: number
  if (!isOwnHost(host)) status = end(response, 421, 'This is not served under that name.')
  else if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD')
    status = end(response, 405, 'Only GET and HEAD are answered.')
  } else {
    response.setHeader('content-security-policy', contentSecurityPolicy(`ws://${host}`))
    const [pathname = ''] = (request.url ?? '').split('?')
    status = await sendFile(renderer, pathname, request, response)
  }
  if (status >= 400) log(`${nameOf(request)}: refused with ${status}: ${request.method} ${request.url} for ${host}`)
}

/** Names of this machine on any port, since a tunnel may bring another one. */
const isOwnHost = (host: string) => /^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/.test(host)

/** Why a page may not open a WebSocket, as a status; undefined where it may ask. */
function refusalOf(request: IncomingMessage, connections: number): number | undefined {
  const { host = '', origin } = request.headers
  if (!isOwnHost(host)) return 421
  if (request.url !== socketPath) return 404
  if (origin !== `http://${host}`) return 403
  if (connections >= limits.connections) return 503
  return undefined
}

function refuseUpgrade(socket: Duplex, status: number, request: IncomingMessage, log: Log): void {
  const { host, origin } = request.headers
  log(`${nameOf(request)}: refused a connection with ${status}: ${request.url} for ${host} from ${origin}`)
  socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

function hasToken(text: string, token: string): boolean {
  const message = tokenMessageSchema.safeParse(parseOrNull(text))
  return message.success && timingSafeEqual(digest(message.data.token), digest(token))
}

/** Of equal length whatever comes, so that comparing takes equal time. */
const digest = (text: string) => createHash('sha256').update(text).digest()

const nameOf = ({ socket }: IncomingMessage) => `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? '?'}`

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8')
  return Buffer.from(data as Buffer).toString('utf8')
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
