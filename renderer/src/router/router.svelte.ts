import { href, parseRoute, type Query, type Route, type ScreenName } from './routes.ts'

class Router {
  /** Null: the address names nothing. */
  route = $state.raw<Route | null>(null)
  /** Whether another screen was gone to since the page was opened. */
  hasMoved = false

  /** Follows the address from now on. Called once the host's token is out of it. */
  start() {
    this.route = parseRoute(location.hash)
    addEventListener('hashchange', () => {
      this.hasMoved = true
      this.route = parseRoute(location.hash)
    })
  }

  go(screen: ScreenName, id?: number | null, query?: Query) {
    location.hash = href(screen, id, query)
  }

  /** Changes the query of this address without a step in the browser's history: filters, selections. */
  setQuery(query: Query) {
    if (!this.route) return
    const all = { ...Object.fromEntries(this.route.query), ...query }
    history.replaceState(null, '', href(this.route.screen, this.route.id, all))
    this.route = parseRoute(location.hash)
  }
}

export const router = new Router()
