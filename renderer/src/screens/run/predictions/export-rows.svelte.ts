import { call } from '../../../client/index.ts'
import { download } from '../../../charts/download.ts'
import { attempt } from '../../../state/attempt.ts'
import type { Source } from '../images/outcome-choice.ts'
import { askedRows, type Exported, exportedRows, exportHead, type RowChoice } from './choice-of-rows.ts'

/** Rows that are asked for at once. */
const slice = 500

/** Takes all rows that a choice lets through to a file, a slice at a time: how far it is, and a way to stop it. */
export class ExportOfRows {
  /** Null where nothing is exported. */
  progress: { done: number; total: number } | null = $state.raw(null)
  #stopped = false

  stop(): void {
    this.#stopped = true
  }

  async run(choice: RowChoice, before: Source | null, after: Source, as: Exported): Promise<void> {
    this.#stopped = false
    this.progress = { done: 0, total: 0 }
    await attempt(async () => {
      const parts = await this.#read(choice, before, after, as)
      const type = as === 'csv' ? 'text/csv' : 'application/x-ndjson'
      if (!this.#stopped) download(`predictions-${choice.task}.${as}`, new Blob([exportHead(as), ...parts], { type }))
    })
    this.progress = null
  }

  async #read(choice: RowChoice, before: Source | null, after: Source, as: Exported): Promise<string[]> {
    const parts: string[] = []
    for (let offset = 0; !this.#stopped; offset += slice) {
      const found = await call('predictions.compare', askedRows(choice, before, after, { offset, limit: slice }))
      if (!found || found.rows.length === 0) break
      parts.push(exportedRows(found.rows, as))
      this.progress = { done: offset + found.rows.length, total: found.total }
    }
    return parts
  }
}
