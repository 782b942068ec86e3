import { mostSpeeds, type SpeedReport, speedReportSchema } from '../contract/index.ts'
import type { Connection } from './open.ts'
import { Table } from './table.ts'

interface SpeedTableRow {
  id: number
  checkpoint_id: number
  measured: number
  /** What was measured, as JSON. */
  report: string
}

/** How fast checkpoints ran, the newest so many measurements of each. */
export class SpeedStore {
  readonly #table: Table<SpeedTableRow>
  readonly #of
  readonly #cut

  constructor(db: Connection) {
    this.#table = new Table(db, 'speeds')
    const newest = 'FROM speeds WHERE checkpoint_id = ? ORDER BY measured DESC, id DESC'
    this.#of = db.prepare<[number], SpeedTableRow>(`SELECT * ${newest}`)
    this.#cut = db.prepare<[number, number, number]>(
      `DELETE FROM speeds WHERE checkpoint_id = ? AND id NOT IN (SELECT id ${newest} LIMIT ?)`,
    )
  }

  /** Newest first; one that this version cannot read is left out. */
  of(checkpoint: number): SpeedReport[] {
    return this.#of.all(checkpoint).flatMap((row) => read(row) ?? [])
  }

  /** @returns the report with its id */
  add(checkpoint: number, report: Omit<SpeedReport, 'id'>): SpeedReport {
    const { measured } = report
    const id = this.#table.insert({ checkpoint_id: checkpoint, measured, report: JSON.stringify(report) })
    this.#cut.run(checkpoint, checkpoint, mostSpeeds.kept)
    return { ...report, id }
  }

  /** @returns the checkpoint that it was of; undefined where there is none such */
  remove(id: number): number | undefined {
    const row = this.#table.get(id)
    if (row) this.#table.remove(id)
    return row?.checkpoint_id
  }
}

const read = ({ id, report }: SpeedTableRow): SpeedReport | undefined =>
  speedReportSchema.safeParse({ ...(JSON.parse(report) as object), id }).data
