/** Addresses of the app: `#/<screen>[/<id>][?<query>]`. */

export const screenNames = [
  'library',
  'datasets',
  'new',
  'runs',
  'history',
  'compare',
  'playground',
  'export',
  'settings',
] as const
export type ScreenName = (typeof screenNames)[number]

export interface Route {
  screen: ScreenName
  id: number | null
  query: URLSearchParams
}

/** What a screen is given that asks for it: its address. It is made anew when its id changes, not when its query does. */
export interface ScreenProps {
  route: Route
}

/** Screens that may show one thing of many, by its id. */
const withId: readonly ScreenName[] = ['library', 'datasets', 'runs', 'export']

/** What an address names; null where it names nothing. An empty one is the library; `#/runs` without a run the history. */
export function parseRoute(hash: string): Route | null {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2)
  const [screen = 'library', id, ...rest] = path.split('/').filter(Boolean)
  if (rest.length > 0 || !screenNames.includes(screen as ScreenName)) return null
  const name = screen as ScreenName
  if (id === undefined) {
    return { screen: name === 'runs' ? 'history' : name, id: null, query: new URLSearchParams(query) }
  }
  if (!withId.includes(name) || !/^[1-9]\d{0,15}$/.test(id)) return null
  return { screen: name, id: Number(id), query: new URLSearchParams(query) }
}

export type Query = Record<string, string | number | boolean | null | undefined>

/** The address of a screen. Null and undefined values of the query are left out. */
export function href(screen: ScreenName, id?: number | null, query: Query = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) parameters.set(name, String(value))
  }
  const text = parameters.toString().replaceAll('%2C', ',')
  return `#/${screen}${id ? `/${id}` : ''}${text ? `?${text}` : ''}`
}

/** Ids in a query such as `runs=1,2,5`: whole and positive, each once, in order. */
export function idList(text: string | null): number[] {
  const ids = (text ?? '').split(',').filter((part) => /^[1-9]\d{0,15}$/.test(part))
  return [...new Set(ids.map(Number))]
}
