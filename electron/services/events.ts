import type { AppEvent, EventName, Events } from '../contract/index.ts'

export type Emit = <E extends EventName>(name: E, payload: Events[E]) => void

/** Tells every listener of everything; one that throws does not keep the others from hearing. */
export class EventHub {
  readonly #listeners = new Set<(event: AppEvent) => void>()

  subscribe(listener: (event: AppEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  readonly emit: Emit = (name, payload) => {
    for (const listener of this.#listeners) {
      try {
        listener({ name, payload } as AppEvent)
      } catch (error) {
        console.error(error)
      }
    }
  }
}
