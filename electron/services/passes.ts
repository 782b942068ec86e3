/** Goes over the same things again and again, one pass after the other, whether the one before it failed or not. */
export class Passes {
  readonly #pass: () => Promise<void>
  #last: Promise<void> = Promise.resolve()
  #isWaiting = false

  constructor(pass: () => Promise<void>) {
    this.#pass = pass
  }

  /** Whether a pass is still to begin. */
  get isWaiting(): boolean {
    return this.#isWaiting
  }

  /** A pass that begins after now. One that waits is enough, however many ask. */
  ask(): Promise<void> {
    if (this.#isWaiting) return this.#last
    this.#isWaiting = true
    this.#last = this.#last
      .catch(() => {})
      .then(() => {
        this.#isWaiting = false
        return this.#pass()
      })
    return this.#last
  }
}
