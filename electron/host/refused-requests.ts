import type { RefusedSoFar } from '../platform.ts'

/** Requests of the page to anything but this computer, none of which was let out. */
export class RefusedRequests {
  #count = 0
  #last: string | null = null

  /** Notes a request that was refused; of its address the scheme and host are kept. */
  add(address: string): void {
    this.#count++
    const url = URL.parse(address)
    this.#last = url && `${url.protocol}//${url.host}`
  }

  get soFar(): RefusedSoFar {
    return { count: this.#count, last: this.#last }
  }
}
