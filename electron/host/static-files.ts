import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join } from 'node:path'
import { pipeline } from 'node:stream'

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
}

/** What a page of the app may do, in either host. `socket` is where it may connect beside its own origin. */
export const contentSecurityPolicy = (socket?: string): string =>
  [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    `connect-src 'self'${socket ? ` ${socket}` : ''}`,
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')

/**
 * File that an address names: null for an address that is no plain path below the root. Every part must be an ordinary
 * name, so that nothing can climb out, whatever it is encoded as.
 */
export function fileOf(root: string, pathname: string): string | null {
  let decoded: string
  try {
    decoded = decodeURIComponent(pathname)
  } catch {
    return null
  }
  const parts = decoded.split('/').slice(1)
  if (parts.at(-1) === '') parts[parts.length - 1] = 'index.html'
  if (!parts.every((part) => /^[\w-][\w.-]*$/.test(part) && !part.endsWith('.'))) return null
  return join(root, ...parts)
}

export const contentType = (file: string): string => types[extname(file)] ?? 'application/octet-stream'

/** Files under `assets/` carry a hash of their content in their name. */
export const cacheControl = (pathname: string): string =>
  pathname.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'

/** Sends a file of the built renderer; 403 for an address that is no plain path, 404 where there is no such file. */
export async function sendFile(
  root: string,
  pathname: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<number> {
  const file = fileOf(root, pathname)
  if (file === null) return end(response, 403)
  const handle = await open(file, 'r').catch(() => null)
  if (handle === null) return end(response, 404)
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) return end(response, 404)
    response.writeHead(200, {
      'content-type': contentType(file),
      'content-length': stat.size,
      'cache-control': cacheControl(pathname),
    })
  } finally {
    await handle.close()
  }
  // A page that was read again while the file was opened takes no answer any more, and pipeline would throw.
  if (response.destroyed) return 200
  if (request.method === 'HEAD') response.end()
  else pipeline(createReadStream(file), response, () => {})
  return 200
}

/** Ends a response with a status and its name as text. */
export function end(response: ServerResponse, status: number, text = ''): number {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
  response.end(text || String(status))
  return status
}
