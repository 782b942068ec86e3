/** Less than this is the rounding of widths. */
const slack = 4

/** Whether a box that scrolls hides columns of its table to the right of what is seen; to be made while a component is initialised. */
export class HiddenColumns {
  /** Whether there are any. */
  any = $state(false)
  #box: HTMLElement | undefined

  /** Looks at a box and its table from now on, until they go. */
  readonly watch = (box: HTMLElement): (() => void) => {
    this.#box = box
    const observer = new ResizeObserver(this.look)
    for (const each of [box, ...box.children]) observer.observe(each)
    return () => observer.disconnect()
  }

  /** To be called whenever the box scrolls. */
  readonly look = (): void => {
    const box = this.#box
    this.any = box !== undefined && box.scrollWidth - box.clientWidth - box.scrollLeft > slack
  }
}
