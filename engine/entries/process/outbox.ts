import type { EngineEvent } from '../../contract/index.ts'

/** Hands a message to the channel; `sent` is called once it is on its way, with an error where the channel is gone. */
export type Send = (event: EngineEvent, sent: (error: Error | null) => void) => void

/** Messages that the channel is given before it has taken the first of them. */
const mostUnsent = 16
/** Events of steps that wait at most. */
const mostWaiting = 1000

/** Events that stand in a file of the run folder too, where a reader finds the ones that it was too slow for. */
const recorded: ReadonlySet<EngineEvent['type']> = new Set(['step', 'pruned', 'sample'])

/**
 * Events on their way to a reader that may be slow, or stand still: the run neither waits for it nor fills memory. Of
 * progress only the latest waits; of steps, snapshots and samples the last thousand; everything else in full.
 */
export class Outbox {
  readonly #send: Send
  readonly #waiting: EngineEvent[] = []
  #recordedWaiting = 0
  #unsent = 0
  #closed = false
  #onDrained: (() => void) | null = null

  constructor(send: Send) {
    this.#send = send
  }

  put(event: EngineEvent): void {
    if (this.#closed) return
    if (event.type === 'progress') this.#forget(({ type }) => type === 'progress')
    if (recorded.has(event.type) && ++this.#recordedWaiting > mostWaiting)
      this.#forget(({ type }) => recorded.has(type))
    this.#waiting.push(event)
    this.#flush()
  }

  /** Resolves when everything has been sent, or nothing can be any more. */
  async drained(): Promise<void> {
    if (this.#waiting.length + this.#unsent === 0) return
    await new Promise<void>((resolve) => {
      this.#onDrained = resolve
    })
  }

  /** The reader has gone. */
  close(): void {
    this.#closed = true
    this.#waiting.length = 0
    this.#unsent = 0
    this.#onDrained?.()
  }

  #forget(which: (event: EngineEvent) => boolean): void {
    const index = this.#waiting.findIndex(which)
    if (index < 0) return
    const [event] = this.#waiting.splice(index, 1)
    if (recorded.has(event!.type)) this.#recordedWaiting--
  }

  #flush(): void {
    while (this.#unsent < mostUnsent) {
      const event = this.#waiting.shift()
      if (!event) break
      if (recorded.has(event.type)) this.#recordedWaiting--
      this.#unsent++
      this.#send(event, (error) => {
        if (this.#closed) return
        if (error) return this.close()
        this.#unsent--
        this.#flush()
        if (this.#waiting.length + this.#unsent === 0) this.#onDrained?.()
      })
    }
  }
}
