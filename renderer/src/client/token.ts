import { splitToken } from './split-token.ts'

const key = 'secateur.token'

/**
 * The token of the host. It comes in the fragment, which no server sees, and is taken out of the address at once; this
 * tab keeps it over a reload.
 */
export function takeToken(): string | null {
  const found = splitToken(location.hash)
  if (!found) return sessionStorage.getItem(key)
  sessionStorage.setItem(key, found.token)
  history.replaceState(null, '', found.rest ? `#${found.rest}` : location.pathname)
  return found.token
}
