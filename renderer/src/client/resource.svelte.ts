import { untrack } from 'svelte'
import type { Answer, EventName, Events, Method, Request } from '../../../electron/contract/index.ts'
import { call, onEvent } from './client.ts'
import { connection } from './connection.svelte.ts'
import { asProblem, type Problem } from './problem.ts'

/** Events after which an answer is stale: those of that name for which the function is true. */
export type Staleness = { [E in EventName]?: (payload: Events[E]) => boolean }

export interface ResourceOptions {
  /** Read again after these events; many in a row make one reading. */
  staleOn?: Staleness
  /** Keep showing the answer to the last input while the next one is on its way. */
  keep?: boolean
  /** Milliseconds without a further event before reading again. */
  settle?: number
}

/**
 * An answer of the main side as state: read when made, when its input changes, after a connection was made again and after
 * events that make it stale. While it is read again, the old answer stays, so that nothing jumps.
 */
export class Resource<T> {
  data = $state.raw<T>()
  problem = $state.raw<Problem>()
  /** Whether a request is on its way; `data` may be there nevertheless. */
  loading = $state(true)
  /** Reads again now. */
  refresh: () => Promise<void> = async () => {}

  /** Changes the answer by hand, where an event or an optimistic edit says what it has become. */
  change(change: (data: T) => T): void {
    if (this.data !== undefined) this.data = change(this.data)
  }
}

/**
 * A `Resource` of one method. To be called while a component is initialised. `input` is tracked; where it returns null
 * nothing is asked and there is no data.
 */
export function resource<M extends Method>(
  method: M,
  input: () => Request<M> | null,
  { staleOn = {}, keep = false, settle = 150 }: ResourceOptions = {},
): Resource<Answer<M>> {
  const result = new Resource<Answer<M>>()
  let latest = 0
  let shown: string | undefined

  async function read(request: Request<M>, key: string) {
    const mine = ++latest
    result.loading = true
    if (key !== shown && !keep) {
      result.data = undefined
      result.problem = undefined
    }
    shown = key
    try {
      const data = await (call as (method: M, input: Request<M>) => Promise<Answer<M>>)(method, request)
      if (mine !== latest) return
      result.data = data
      result.problem = undefined
    } catch (error) {
      if (mine !== latest) return
      const problem = asProblem(error)
      // The banner says that the connection is lost; what was read before is still worth looking at.
      if (problem.kind !== 'disconnected' || result.data === undefined) result.problem = problem
    }
    result.loading = false
  }

  $effect(() => {
    void connection.epoch
    const request = input()
    const key = JSON.stringify(request)
    untrack(() => {
      if (request === null) {
        latest++
        shown = undefined
        result.data = undefined
        result.problem = undefined
        result.loading = false
        result.refresh = async () => {}
        return
      }
      result.refresh = () => read(request, key)
      void read(request, key)
    })
  })

  $effect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const refresh = () => {
      clearTimeout(timer)
      timer = setTimeout(() => void result.refresh(), settle)
    }
    const stops = Object.entries(staleOn).map(([name, stale]) =>
      onEvent(name as EventName, (payload) => {
        if ((stale as (payload: unknown) => boolean)(payload)) refresh()
      }),
    )
    return () => {
      clearTimeout(timer)
      for (const stop of stops) stop()
    }
  })
  return result
}
