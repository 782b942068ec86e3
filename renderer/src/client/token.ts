import { splitToken } from './split-token.ts'

const key = 'secateur.token'
/** Where the page stood whose host ended, for the page that is opened with the key of the next start. */
const placeKey = 'secateur.place'

/** Milliseconds that another tab has to answer. */
const patience = 300

/**
 * The token of the host. It comes in the fragment, which no server sees, and is taken out of the address at once; this
 * tab keeps it over a reload. A copied address carries none: then another tab of the app hands it over.
 */
export async function takeToken(): Promise<string | null> {
  const found = splitToken(location.hash)
  if (found) {
    sessionStorage.setItem(key, found.token)
    const place = found.rest || (localStorage.getItem(placeKey) ?? '')
    forgetPlace()
    history.replaceState(null, '', place ? `#${place}` : location.pathname)
  } else if (!sessionStorage.getItem(key)) {
    const token = await tokenOfAnotherTab()
    if (token) sessionStorage.setItem(key, token)
  }
  answerOtherTabs()
  // The address of a later start, put into the same tab, changes the fragment alone. Once the browser is done with that:
  // a reload that is asked for before is sometimes dropped.
  addEventListener('hashchange', () => {
    if (splitToken(location.hash)) setTimeout(() => location.reload(), 100)
  })
  return sessionStorage.getItem(key)
}

/** Keeps the place of a page that the host does not answer, or does not admit any more. */
export function keepPlace(): void {
  const place = location.hash.slice(1)
  if (place.startsWith('/')) localStorage.setItem(placeKey, place)
}

/** The host answers this page again. */
export const forgetPlace = (): void => localStorage.removeItem(placeKey)

/** Only pages of this very origin hear each other. */
const channel = () => new BroadcastChannel(key)

function tokenOfAnotherTab(): Promise<string | null> {
  const others = channel()
  return new Promise<string | null>((resolve) => {
    setTimeout(resolve, patience, null)
    others.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') resolve(data)
    })
    others.postMessage(null)
  }).finally(() => others.close())
}

function answerOtherTabs() {
  const others = channel()
  others.addEventListener('message', ({ data }) => {
    if (data === null) others.postMessage(sessionStorage.getItem(key))
  })
}
