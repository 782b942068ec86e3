import { untrack } from 'svelte'
import type { Column, TableRow } from '../../../../electron/contract/index.ts'
import { asProblem, call, connection, onEvent, type Problem, resource } from '../../client/index.ts'
import { choosePath } from '../../components/choose-path.svelte.ts'
import { router } from '../../router/router.svelte.ts'
import { app } from '../../state/app.svelte.ts'
import { attempt } from '../../state/attempt.ts'
import { importRun } from './actions.ts'
import { defaultColumns } from './columns.ts'
import {
  type AskedFilter,
  type HistoryFilter,
  isFiltered,
  noFilter,
  queryOf,
  type Sort,
  viewOf,
} from './history-filter.ts'
import { searchedFor } from './search-text.ts'
import { Windows } from './windows.ts'

/** Rows asked for before it is known how many the table shows. */
const firstRows = 60
/** Milliseconds without a further event before rows are read again. */
const settle = 300
/** Milliseconds without a further letter before the search is asked. */
const typing = 200

/** The time to which days ago are counted: one that moves seldom, since the table is read anew when it does. */
const hour = () => Math.floor(Date.now() / 3_600_000) * 3_600_000

/**
 * The table of runs, kept up to date by events: what the address asks for, which columns are shown, and the rows, as far
 * as they have come. To be made while a component is initialised, and listening as long as that lives.
 */
export class RunHistory {
  readonly #query: () => URLSearchParams
  /** Told when another question's rows take the place of the last one's. */
  readonly #onreplaced: () => void
  /** What the address asks for. */
  readonly view = $derived.by(() => viewOf(this.#query()))
  readonly filter = $derived(this.view.filter)
  readonly sort = $derived(this.view.sort)
  readonly group = $derived(this.view.group)
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
  readonly chosen = $derived(
    this.view.columns ?? app.settings?.historyColumns ?? defaultColumns(this.columns.data ?? []),
  )
  /** What is typed into the search, as far as it is understood. */
  readonly searched = $derived(searchedFor(this.filter.search, this.columns.data ?? [], hour()))
  readonly asked: AskedFilter = $derived({
    ...this.filter,
    search: this.searched.words,
    where: this.searched.where,
  })
  /** A column that no run has values of any more keeps its place, so that rows and headings stay together. */
  readonly shown = $derived(this.chosen.map((key) => this.#columnOf(key)))

  /** Groups whose runs are shown. */
  #opened: readonly string[] = $state.raw([])
  /** The column that runs are grouped by. */
  readonly grouped = $derived(this.group === 'sweep' || this.group === 'none' ? undefined : this.#columnOf(this.group))
  #table: Windows<TableRow> | undefined = $state.raw()
  /** Moves when rows have come. */
  #version = $state(0)
  #problem: Problem | undefined = $state.raw()
  readonly problem = $derived(this.#problem ?? this.columns.problem)
  /** Rows as they are folded; null until it is known. */
  readonly total: number | null = $derived.by(() => (void this.#version, this.#table?.total ?? null))
  /** Runs that the filter lets through. */
  runs: number | null = $state(null)
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
    // The address may become that of another view.
    $effect(() => {
      const asked = this.filter.search
      if (untrack(() => this.search.trim()) !== asked) this.search = asked
    })
    this.#openTables()
    this.#followRuns()
    this.#followConnection()
  }

  #columnOf(key: string): Column {
    return this.columns.data?.find((column) => column.key === key) ?? { key, label: key, type: 'text' }
  }

  /** Changes what the address asks for. */
  ask(changes: Partial<HistoryFilter>): void {
    router.setQuery(queryOf({ ...this.view, filter: { ...this.filter, ...changes } }))
  }
  sortBy(sort: Sort | undefined): void {
    router.setQuery(queryOf({ ...this.view, sort }))
  }
  groupBy(group: string): void {
    this.#opened = []
    router.setQuery(queryOf({ ...this.view, group }))
  }
  /** Of a view that names its own columns it changes these, and else those of all views. */
  choose(columns: string[]): void {
    if (this.view.columns !== null) router.setQuery(queryOf({ ...this.view, columns }))
    else void attempt(() => app.changeSettings({ historyColumns: columns }))
  }
  /** Shows the runs of a group, or folds them. */
  toggle(key: string, open = !this.#opened.includes(key)): void {
    this.#opened = [...this.#opened.filter((other) => other !== key), ...(open ? [key] : [])]
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
        ? JSON.stringify({
            ...this.asked,
            ...(this.sort && { sort: this.sort }),
            group: this.group,
            columns: this.chosen,
          })
        : null,
    )
    let before: string | null = null
    $effect(() => {
      const open = this.#opened
      if (question === null) return
      const query: object = JSON.parse(question)
      const next: Windows<TableRow> = new Windows(
        async (offset, limit) => {
          const page = await call('history.table', { ...query, open: [...open], offset, limit })
          this.runs = page.runs
          return page
        },
        () => this.#version++,
        { size: 200, held: 100 },
      )
      // A group that opens or closes leaves the rows above it where they are.
      const isAnother = question !== before
      before = question
      untrack(() => void this.#open(next, isAnother))
      return () => next.close()
    })
  }

  /** The old table stays until the new one has its first rows, so that nothing flickers. */
  async #open(next: Windows<TableRow>, isAnother: boolean): Promise<void> {
    await next.show(isAnother ? 0 : this.#view.first, isAnother ? firstRows : this.#view.last)
    if (next.problem !== null) this.#problem = asProblem(next.problem)
    if (next.total === null) return
    this.#problem = undefined
    this.#table = next
    if (isAnother) this.#onreplaced()
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
