const focusable =
  'a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), summary, [tabindex="0"]'

const isLost = (element: Element) => !element.isConnected || element.matches(':disabled')

/**
 * Keeps the keyboard's place: where what has the focus is taken off the page or disabled, the focus goes to the closest part
 * of the page around it that is left and has something to press, and not to the start of the page. A part is focused, and
 * not a control of it: what is pressed twice presses nothing else.
 *
 * @returns a function that ends it
 */
export function keepFocus(): () => void {
  /** What has the focus, and what it stands in, innermost first. */
  let path: Element[] = []
  /** What had it in the page itself, before a dialog or a menu took it. */
  let inPage: HTMLElement | null = null
  let waiting: ReturnType<typeof setTimeout> | undefined

  function remember({ target }: FocusEvent) {
    if (!(target instanceof HTMLElement)) return
    path = []
    for (let at: Element | null = target; at && at !== document.body; at = at.parentElement) path.push(at)
    if (target.closest('main')) inPage = target
  }

  function lost(): boolean {
    const [last] = path
    const now = document.activeElement
    return last !== undefined && isLost(last) && (now === document.body || now === last)
  }

  function changed() {
    if (!lost()) return
    // A dialog that closes, and a page that opens, give the focus away themselves.
    waiting ??= setTimeout(() => {
      waiting = undefined
      if (lost()) focusPart(path.find((part) => part.isConnected && part.querySelector(focusable) !== null))
    }, 80)
  }

  function focusPart(part: Element | undefined) {
    if (!part && inPage && !isLost(inPage)) return inPage.focus({ preventScroll: true })
    const main = document.getElementById('main')
    const target = part && !part.contains(main) ? part : (main?.querySelector('h1') ?? main)
    if (!(target instanceof HTMLElement)) return
    if (!target.hasAttribute('tabindex')) {
      target.tabIndex = -1
      target.addEventListener('blur', () => target.removeAttribute('tabindex'), { once: true })
    }
    target.focus({ preventScroll: true })
  }

  document.addEventListener('focusin', remember)
  const observer = new MutationObserver(changed)
  observer.observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ['disabled'] })
  return () => {
    document.removeEventListener('focusin', remember)
    observer.disconnect()
    clearTimeout(waiting)
  }
}
