import { createVirtualizer } from '@tanstack/svelte-virtual'
import { untrack } from 'svelte'
import { fromStore } from 'svelte/store'

/** Lists up to this long are drawn whole, so that the browser's own search finds everything in them. */
const drawnWhole = 100
export const isLong = (count: number): boolean => count > drawnWhole

interface List {
  count: number
  /** What the rows are in; undefined before it is drawn. */
  element: HTMLElement | undefined
  /** Pixels of a row, before it is measured, and between two. */
  size: number
  gap?: number
  /** What scrolls; the page unless it is another element. */
  scroller?: HTMLElement | undefined
}

const page = () => document.querySelector<HTMLElement>('main')

/** Rows of a list that are to be drawn, and the room that the others take before and after them. */
export interface VirtualRange {
  readonly first: number
  /** Exclusive. */
  readonly end: number
  readonly before: number
  readonly after: number
  /** An attachment for each row's element, which names its index in `data-index`. */
  readonly measure: (element: HTMLElement) => void
}

/**
 * The part of a long list in the page that can be seen, as the page or the list's own frame scrolls. To be called while a component is initialised;
 * `list` is tracked.
 */
export function virtualInPage(list: () => List): { readonly range: VirtualRange } {
  const virtualizer = fromStore(
    createVirtualizer<HTMLElement, HTMLElement>({
      count: 0,
      getScrollElement: () => list().scroller ?? page(),
      estimateSize: () => list().size,
      overscan: 6,
    }),
  )
  const long = $derived(isLong(list().count))
  $effect(() => {
    const { count, element, size, gap = 0, scroller } = list()
    if (!element) return
    const set = () =>
      virtualizer.current.setOptions({
        ...virtualizer.current.options,
        count: long ? count : 0,
        estimateSize: () => size,
        gap,
        scrollMargin: distanceFromTop(element, scroller ?? element.closest('main')),
      })
    untrack(set)
    addEventListener('resize', set)
    return () => removeEventListener('resize', set)
  })
  const range = $derived.by((): VirtualRange => {
    const { count, gap = 0 } = list()
    if (!long) return { first: 0, end: count, before: 0, after: 0, measure: () => {} }
    const measure = (element: HTMLElement) => virtualizer.current.measureElement(element)
    const items = virtualizer.current.getVirtualItems()
    const { scrollMargin } = virtualizer.current.options
    const [top, bottom] = [items[0], items.at(-1)]
    if (!top || !bottom) return { first: 0, end: Math.min(count, 20), before: 0, after: 0, measure }
    return {
      first: top.index,
      end: Math.min(count, bottom.index + 1),
      // Where rows are drawn before and after, the gap to them is drawn too.
      before: Math.max(0, top.start - scrollMargin),
      after: Math.max(
        0,
        virtualizer.current.getTotalSize() - (bottom.end - scrollMargin) - (bottom.index + 1 < count ? gap : 0),
      ),
      measure,
    }
  })
  return {
    get range() {
      return range
    },
  }
}

/** Of an element from the top of what scrolls. */
function distanceFromTop(element: HTMLElement, scroller: HTMLElement | null): number {
  if (!scroller) return 0
  return element.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop
}
