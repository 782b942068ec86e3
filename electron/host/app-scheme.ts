import { readFile } from 'node:fs/promises'
import { cacheControl, contentSecurityPolicy, contentType, fileOf } from './static-files.ts'

/** The scheme of our own that the window's page comes from: it has an origin, and nothing but our files. */
export const scheme = 'app'
export const appOrigin = `${scheme}://secateur`
export const startAddress = `${appOrigin}/`

/** Whether an address is a page of ours. */
export function isAppAddress(address: string): boolean {
  return URL.canParse(address) && address.startsWith(startAddress)
}

/** Whether a request of the page may leave it: its own files, and what the page made itself. */
export const mayLoad = (address: string): boolean =>
  isAppAddress(address) || /^(blob:app:\/\/secateur\/|data:|devtools:)/.test(address)

/** What is checked of the frame that a message came from. */
export interface SenderFrame {
  url: string
  /** Null for the window's own frame. */
  parent: unknown
}

/** Whether a message came from the window's own page, and from no frame within it. */
export const isTrustedSender = (frame: SenderFrame | null): boolean =>
  frame !== null && frame.parent === null && isAppAddress(frame.url)

/** Answers a request for a file of the built renderer. */
export async function answerAppRequest(
  root: string,
  { url, method }: { url: string; method: string },
): Promise<Response> {
  if (!isAppAddress(url)) return new Response(null, { status: 404 })
  if (method !== 'GET' && method !== 'HEAD') return new Response(null, { status: 405 })
  const { pathname } = new URL(url)
  const file = fileOf(root, pathname)
  if (file === null) return new Response(null, { status: 403 })
  try {
    return new Response(await readFile(file), {
      headers: {
        'content-type': contentType(file),
        'cache-control': cacheControl(pathname),
        'content-security-policy': contentSecurityPolicy(),
        'x-content-type-options': 'nosniff',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
        'cross-origin-resource-policy': 'same-origin',
      },
    })
  } catch {
    return new Response(null, { status: 404 })
  }
}
