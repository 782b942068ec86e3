import type { Connection } from './open.ts'
import { Table } from './table.ts'

/** A checkpoint on its way from one place to another. */
export interface MoveRow {
  id: number
  checkpoint_id: number
  /** Its path before, the folder of its files, and whether that moves as a whole. */
  origin: string
  folder: string
  whole: number
  /** The folder that takes it. */
  target: string
  /** Until `copied` the origin counts; then the target does, and what is left of the origin goes. */
  state: 'copying' | 'copied'
}

export class MoveStore extends Table<MoveRow> {
  readonly #all

  constructor(db: Connection) {
    super(db, 'checkpoint_moves')
    this.#all = db.prepare<[], MoveRow>('SELECT * FROM checkpoint_moves ORDER BY id')
  }

  all(): MoveRow[] {
    return this.#all.all()
  }
}
