import { call } from '../../client/index.ts'
import { counted } from '../../format.ts'
import { attempt } from '../../state/attempt.ts'
import { toasts } from '../../state/toasts.svelte.ts'
import type { RunHistory } from './history.svelte.ts'

/** As many runs as one request may name. */
const most = 10_000
/** Rows of one request while all runs are selected. */
const pageSize = 500

/** The runs that are ticked in the history, and what is done with all of them at once. */
export class Selection {
  ids: ReadonlySet<number> = $state.raw(new Set<number>())
  readonly canCompare = $derived(this.ids.size >= 2 && this.ids.size <= 6)
  /** The selected run where there is exactly one. */
  readonly single = $derived(this.ids.size === 1 ? [...this.ids][0] : undefined)

  set(ids: readonly number[], selected: boolean): void {
    const next = new Set(this.ids)
    for (const id of ids)
      if (selected) next.add(id)
      else next.delete(id)
    this.ids = next
  }

  clear(): void {
    this.ids = new Set()
  }

  /** Selects every run of the table, read page by page in its order; none where all are selected. */
  async toggleAll({ total, filter, sort }: Pick<RunHistory, 'total' | 'filter' | 'sort'>): Promise<void> {
    if (total !== null && this.ids.size >= total) {
      this.clear()
      return
    }
    await attempt(async () => {
      const ids: number[] = []
      let more = true
      while (more && ids.length < most) {
        const page = await call('history.query', {
          ...filter,
          ...(sort && { sort }),
          offset: ids.length,
          limit: pageSize,
        })
        ids.push(...page.rows.map(({ id }) => id))
        more = page.rows.length > 0 && ids.length < page.total
      }
      this.ids = new Set(ids.slice(0, most))
    })
  }

  async archive(archived: boolean): Promise<void> {
    const ids = [...this.ids]
    if (!(await attempt(() => call('runs.archive', { ids, archived })))) return
    this.clear()
    toasts.undoable(`${counted(ids.length, 'run')} ${archived ? 'archived' : 'taken out of the archive'}`, () =>
      call('runs.archive', { ids, archived: !archived }),
    )
  }

  /** Takes the runs out of the history; their folders stay. */
  async remove(): Promise<void> {
    const ids = [...this.ids]
    if (!(await attempt(() => call('runs.remove', { ids, files: 'keep' })))) return
    this.clear()
    toasts.undoable(`${counted(ids.length, 'run')} removed; the folders are kept`, () => call('runs.restore', { ids }))
  }

  /**
   * Takes the runs out of the history and their folders to the system's trash.
   *
   * @throws Problem where the services refuse.
   */
  async trash(): Promise<void> {
    await call('runs.remove', { ids: [...this.ids], files: 'trash' })
    this.clear()
  }
}
