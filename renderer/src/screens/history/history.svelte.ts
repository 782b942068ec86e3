import { untrack } from 'svelte'
import type { Column, HistoryRow } from '../../../../electron/contract/index.ts'
import { asProblem, call, connection, onEvent, type Problem, resource } from '../../client/index.ts'
import { choosePath } from '../../components/choose-path.svelte.ts'
import { router } from '../../router/router.svelte.ts'
import { app } from '../../state/app.svelte.ts'
import { importRun } from './actions.ts'
import { defaultColumns } from './columns.ts'
import { filterOf, type HistoryFilter, isFiltered, noFilter, queryOf, type Sort } from './history-filter.ts'
import { Windows } from './windows.ts'

/** Rows asked for before it is known how many the table shows. */
const firstRows = 60
/** Milliseconds without a further event before rows are read again. */
const settle = 300
/** Milliseconds without a further letter before the search is asked. */
const typing = 200

/**
 * The table of runs, kept up to date by events: what the address asks for, which columns are shown, and the rows, as far
 * as they have come. To be made while a component is initialised, and listening as long as that lives.
 */
export class RunHistory {
  readonly #query: () => URLSearchParams
  /** Told when another question's rows take the place of the last one's. */
  readonly #onreplaced: () => void
  readonly #asked = $derived.by(() => filterOf(this.#query()))
  readonly filter = $derived(this.#asked.filter)
  readonly sort = $derived(this.#asked.sort)
  readonly isFiltered = $derived(isFiltered(this.filter))
  /** The search as it is being typed. */
  search = $state('')
  importing = $state(false)

  /** Every column that some run has a value for. */
  readonly columns = resource('history.columns', () => undefined, {
    keep: true,
    staleOn: { run: ({ state }) => state === 'done', runsChanged: () => true },
    settle: 1000,
  })
  /** Every tag that some run has. */
  readonly tags = resource('history.tags', () => undefined, {
    keep: true,
    staleOn: { run: () => true, runsChanged: () => true },
    settle: 1000,
  })
  readonly chosen = $derived(app.settings?.historyColumns ?? defaultColumns(this.columns.data ?? []))
  /** A column that no run has values of any more keeps its place, so that rows and headings stay together. */
  readonly shown = $derived(
    this.chosen.map(
      (key): Column => this.columns.data?.find((column) => column.key === key) ?? { key, label: key, type: 'text' },
    ),
  )

  #table: Windows<HistoryRow> | undefined = $state.raw()
  /** Moves when rows have come. */
  #version = $state(0)
  #problem: Problem | undefined = $state.raw()
  readonly problem = $derived(this.#problem ?? this.columns.problem)
  /** Runs that the filter lets through; null until it is known. */
  readonly total: number | null = $derived.by(() => (void this.#version, this.#table?.total ?? null))
  readonly ready = $derived(this.total !== null && this.columns.data !== undefined)
  readonly loading = $derived(!this.ready && !this.#problem)
  /** The row at a place of the table; undefined while it has not come. Another function whenever rows have come. */
  readonly row = $derived.by(() => {
    void this.#version
    const table = this.#table
    return (index: number) => table?.row(index)
  })

  /** Places of the rows in view. */
  #view = { first: 0, last: firstRows }
  #reloading: ReturnType<typeof setTimeout> | undefined
  #searching: ReturnType<typeof setTimeout> | undefined

  constructor(query: () => URLSearchParams, onreplaced: () => void) {
    this.#query = query
    this.#onreplaced = onreplaced
    this.search = this.filter.search
    this.#openTables()
    this.#followRuns()
    this.#followConnection()
  }

  /** Changes what the address asks for. */
  ask(changes: Partial<HistoryFilter>, sort: Sort | undefined = this.sort): void {
    router.setQuery(queryOf({ ...this.filter, ...changes }, sort))
  }
  sortBy(sort: Sort | undefined): void {
    router.setQuery(queryOf(this.filter, sort))
  }
  /** Asks for what is typed, once the typing pauses. */
  searchSoon(): void {
    clearTimeout(this.#searching)
    this.#searching = setTimeout(() => this.ask({ search: this.search.trim() }), typing)
  }
  showAll(): void {
    this.search = ''
    this.ask(noFilter)
  }

  /** Lets the user choose a run folder or an archive, and takes the run in it into the history. */
  async importRun(kind: 'folder' | 'archive'): Promise<void> {
    const path = await choosePath(kind, kind === 'folder' ? 'Choose a run folder' : 'Choose an archive of a run')
    if (!path) return
    this.importing = true
    await importRun(path, kind)
    this.importing = false
  }

  /** Fetches the rows that have come into view. */
  show(first: number, last: number): void {
    this.#view = { first, last }
    void this.#table?.show(first, last)
  }

  /** Opens another table whenever the question changes: filter, order or columns. */
  #openTables(): void {
    const question = $derived(
      app.settings && this.columns.data
        ? JSON.stringify({ ...this.filter, ...(this.sort && { sort: this.sort }), columns: this.chosen })
        : null,
    )
    $effect(() => {
      if (question === null) return
      const query: object = JSON.parse(question)
      const next: Windows<HistoryRow> = new Windows(
        (offset, limit) => call('history.query', { ...query, offset, limit }),
        () => this.#version++,
        { size: 200, held: 100 },
      )
      untrack(() => void this.#open(next))
      return () => next.close()
    })
  }

  /** The old table stays until the new one has its first rows, so that nothing flickers. */
  async #open(next: Windows<HistoryRow>): Promise<void> {
    await next.show(0, firstRows)
    if (next.problem !== null) this.#problem = asProblem(next.problem)
    if (next.total === null) return
    this.#problem = undefined
    this.#table = next
    this.#onreplaced()
    void next.fill()
  }

  #followRuns(): void {
    $effect(() => {
      const states = new Map<number, string>()
      const stops = [
        onEvent('runsChanged', () => this.#reloadSoon()),
        onEvent('run', ({ id, state, name, tags }) => {
          // Progress comes often and is shown from the events; the table is read again where more has changed.
          const now = JSON.stringify([state, name, tags])
          if (states.get(id) !== now) this.#reloadSoon()
          states.set(id, now)
        }),
      ]
      return () => {
        clearTimeout(this.#reloading)
        for (const stop of stops) stop()
      }
    })
  }

  #followConnection(): void {
    let epoch = connection.epoch
    $effect(() => {
      if (connection.epoch !== epoch) this.#reloadSoon()
      epoch = connection.epoch
    })
  }

  #reloadSoon(): void {
    clearTimeout(this.#reloading)
    this.#reloading = setTimeout(() => void this.#reload(), settle)
  }

  async #reload(): Promise<void> {
    const table = this.#table
    if (!table) return
    await table.reload(this.#view.first, this.#view.last)
    void table.fill()
  }
}
