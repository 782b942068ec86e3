import type { TableRow } from '../../../../electron/contract/index.ts'
import { call } from '../../client/index.ts'
import { counted } from '../../format.ts'
import { attempt } from '../../state/attempt.ts'
import { toasts } from '../../state/toasts.svelte.ts'
import type { RunHistory } from './history.svelte.ts'

/** The runs that a row of the table stands for: itself, and those that are folded under it. */
export const idsOf = (row: TableRow): number[] => [
  ...(row.type === 'run' ? [row.id] : []),
  ...(row.folded?.members ?? []),
]

/** As many runs as one request may name. */
const most = 10_000
/** Rows of one request while all runs are selected. */
const pageSize = 500

/** The runs that are ticked in the history, and what is done with all of them at once. */
export class Selection {
  ids: ReadonlySet<number> = $state.raw(new Set<number>())
  /** Which of them are sweeps, of which there is nothing to compare but their runs. */
  #sweeps: ReadonlySet<number> = $state.raw(new Set<number>())
  readonly compared = $derived([...this.ids].filter((id) => !this.#sweeps.has(id)))
  readonly canCompare = $derived(this.compared.length >= 2 && this.compared.length <= 6)
  /** The selected run where there is exactly one. */
  readonly single = $derived(this.ids.size === 1 ? [...this.ids][0] : undefined)

  /** Of a sweep or another group its runs come along. */
  set(rows: readonly TableRow[], selected: boolean): void {
    const next = new Set(this.ids)
    for (const id of rows.flatMap(idsOf))
      if (selected) next.add(id)
      else next.delete(id)
    this.ids = next
    const sweeps = rows.flatMap((row) => (row.type === 'run' && row.kind === 'sweep' ? [row.id] : []))
    this.#sweeps = new Set([...this.#sweeps, ...sweeps])
  }

  clear(): void {
    this.ids = new Set()
  }

  /** Selects every run of the table, read page by page in its order; none where all are selected. */
  async toggleAll({ runs, asked, sort }: Pick<RunHistory, 'runs' | 'asked' | 'sort'>): Promise<void> {
    if (runs !== null && this.ids.size >= runs) {
      this.clear()
      return
    }
    await attempt(async () => {
      const ids: number[] = []
      const sweeps: number[] = []
      let more = true
      while (more && ids.length < most) {
        const page = await call('history.query', {
          ...asked,
          where: [...asked.where],
          ...(sort && { sort }),
          offset: ids.length,
          limit: pageSize,
        })
        ids.push(...page.rows.map(({ id }) => id))
        sweeps.push(...page.rows.flatMap(({ id, kind }) => (kind === 'sweep' ? [id] : [])))
        more = page.rows.length > 0 && ids.length < page.total
      }
      this.ids = new Set(ids.slice(0, most))
      this.#sweeps = new Set(sweeps)
    })
  }

  /** Gives the runs tags, and takes tags from them. */
  async tag(add: readonly string[], remove: readonly string[]): Promise<void> {
    const ids = [...this.ids]
    await call('runs.tag', { ids, add: [...add], remove: [...remove] })
    toasts.show({ message: `Tags of ${counted(ids.length, 'run')} changed`, level: 'success' })
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
