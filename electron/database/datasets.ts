import type { Dataset } from '../contract/index.ts'
import type { Connection } from './open.ts'
import { PathTable } from './table.ts'
import { TagStore } from './tags.ts'

export interface DatasetRow {
  id: number
  name: string
  path: string
  format: Dataset['format']
  kind: Dataset['kind']
  detected_kind: Dataset['kind']
  task: string | null
  /** A list of names, as JSON. */
  fields: string
  field: string | null
  rows: number | null
  bytes: number
  /** Milliseconds since 1970, of the file. */
  modified: number
  status: Dataset['status']
  notes: string
  added: number
  removed: number | null
}

export class DatasetStore extends PathTable<DatasetRow> {
  readonly tags: TagStore
  readonly #all

  constructor(db: Connection) {
    super(db, 'datasets')
    this.tags = new TagStore(db, 'dataset')
    this.#all = db.prepare<[], DatasetRow>('SELECT * FROM datasets WHERE removed IS NULL ORDER BY added DESC, id DESC')
  }

  all(): DatasetRow[] {
    return this.#all.all()
  }
}
