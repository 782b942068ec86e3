/** Requests to other computers that the page's own rules refused before they were made. */
class Refusals {
  count = $state(0)
  /** Scheme and host of the last one. */
  last = $state<string | null>(null)

  /** To be called once, before the page loads anything. */
  listen(): void {
    document.addEventListener('securitypolicyviolation', ({ blockedURI }) => {
      // What the page holds itself, as an inline script, is no request.
      if (!URL.canParse(blockedURI)) return
      const { protocol, host, origin } = new URL(blockedURI)
      if (origin === location.origin || host === '') return
      this.count++
      this.last = `${protocol}//${host}`
    })
  }
}
export const refusals = new Refusals()
