import { mostSpeeds, type SpeedReport, speedReportSchema } from '../contract/index.ts'
import type { Connection } from './open.ts'
import { Table } from './table.ts'

interface SpeedTableRow {
  id: number
  checkpoint_id: number
  measured: number
  /** What was measured, as JSON. */
  report: string
  /** Whether it was forgotten: it can be brought back until the next measurement. */
  removed: number
}

/** How fast checkpoints ran, the newest so many measurements of each. */
export class SpeedStore {
  readonly #table: Table<SpeedTableRow>
  readonly #of
  readonly #cut

  constructor(db: Connection) {
    this.#table = new Table(db, 'speeds')
    const newest = 'FROM speeds WHERE checkpoint_id = ? AND removed = 0 ORDER BY measured DESC, id DESC'
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
    const id = this.#table.insert({ checkpoint_id: checkpoint, measured, report: JSON.stringify(report), removed: 0 })
    this.#cut.run(checkpoint, checkpoint, mostSpeeds.kept)
    return { ...report, id }
  }

  /** @returns the checkpoint that it is of; undefined where there is none such */
  setRemoved(id: number, removed: boolean): number | undefined {
    this.#table.update(id, { removed: Number(removed) })
    return this.#table.get(id)?.checkpoint_id
  }
}

const read = ({ id, report }: SpeedTableRow): SpeedReport | undefined =>
  speedReportSchema.safeParse({ ...(JSON.parse(report) as object), id }).data
