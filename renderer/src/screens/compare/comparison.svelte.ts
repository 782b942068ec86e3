import { onEvent, resource } from '../../client/index.ts'
import { activeStates } from '../../names.ts'
import { idList } from '../../router/routes.ts'
import { router } from '../../router/router.svelte.ts'

/** As many runs as can be told apart by their lines. */
export const mostRuns = 6
/** Milliseconds between two readings of runs that are under way, however often they tell of themselves. */
const interval = 3000

type Canvases = Record<string, HTMLCanvasElement | undefined>

/**
 * The runs that the address names, side by side, read again while any of them is under way. To be made while a component
 * is initialised.
 */
export class RunComparison {
  readonly #query: () => URLSearchParams
  readonly ids = $derived.by(() => idList(this.#query().get('runs')).slice(0, mostRuns))
  readonly answer = resource('compare.get', () => (this.ids.length >= 2 ? { ids: this.ids, points: 600 } : null), {
    keep: true,
    staleOn: { runsChanged: () => true },
  })
  /** Whether settings that are the same for all runs are shown too. */
  allSettings = $state(false)

  /** What the charts of the page are drawn on, for one drawing of all of it. */
  curveCanvases: Canvases = $state.raw({})
  layerCanvases: Canvases = $state.raw({})
  scatterCanvas: HTMLCanvasElement | undefined = $state.raw()

  constructor(query: () => URLSearchParams) {
    this.#query = query
    this.#followRuns()
  }

  choose(ids: readonly number[]): void {
    router.setQuery({ runs: ids.join(',') || null })
  }
  leaveOut(id: number): void {
    this.choose(this.ids.filter((each) => each !== id))
  }

  #followRuns(): void {
    $effect(() => {
      let changed = false
      const stops = [
        onEvent('metrics', ({ id }) => (changed ||= this.ids.includes(id))),
        onEvent('run', ({ id, state }) => (changed ||= this.ids.includes(id) && !activeStates.includes(state))),
      ]
      const timer = setInterval(() => {
        if (changed) void this.answer.refresh()
        changed = false
      }, interval)
      return () => {
        clearInterval(timer)
        for (const stop of stops) stop()
      }
    })
  }
}
