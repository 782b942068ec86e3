import type { Connection } from './open.ts'
import { Table } from './table.ts'

export interface LibraryFolderRow {
  id: number
  /** Without links. */
  path: string
  /** Whether checkpoints are kept in it, or models are looked for in it. */
  use: 'kept' | 'watched'
  /** Where its drive is mounted. */
  mount: string | null
  /** When it was looked through last, and what came of it, as JSON. */
  scanned: number | null
  report: string | null
}

export interface FoundModelRow {
  id: number
  folder_id: number
  path: string
  /** What the engine said of it, as JSON. */
  facts: string
  dismissed: number
}

/** Folders that the user named for the library. */
export class LibraryFolderStore extends Table<LibraryFolderRow> {
  readonly #ofUse

  constructor(db: Connection) {
    super(db, 'library_folders')
    this.#ofUse = db.prepare<[string], LibraryFolderRow>('SELECT * FROM library_folders WHERE use = ? ORDER BY id')
  }

  all(use: LibraryFolderRow['use']): LibraryFolderRow[] {
    return this.#ofUse.all(use)
  }
}

/** Models in watched folders. */
export class FoundModelStore extends Table<FoundModelRow> {
  readonly #offered
  readonly #put
  readonly #dismissPath

  constructor(db: Connection) {
    super(db, 'found_models')
    this.#offered = db.prepare<[], FoundModelRow>(
      `SELECT * FROM found_models f WHERE NOT EXISTS (
         SELECT 1 FROM checkpoints c WHERE c.path = f.path AND c.removed IS NULL) ORDER BY id DESC`,
    )
    this.#put = db.prepare<[number, string, string]>(
      `INSERT INTO found_models (folder_id, path, facts) VALUES (?, ?, ?)
       ON CONFLICT (path) DO UPDATE SET folder_id = excluded.folder_id, facts = excluded.facts`,
    )
    this.#dismissPath = db.prepare<[string]>('UPDATE found_models SET dismissed = 1 WHERE path = ?')
  }

  /** Those that are not in the library, the newest first; dismissed ones too. */
  outsideLibrary(): FoundModelRow[] {
    return this.#offered.all()
  }

  /**
   * Enters what was found in a folder.
   *
   * @param all whether what is not among it is there no more
   */
  enter(folder: number, models: readonly { path: string; facts: string }[], all: boolean): void {
    this.db.transaction(() => {
      for (const { path, facts } of models) this.#put.run(folder, path, facts)
      if (!all) return
      this.db
        .prepare('DELETE FROM found_models WHERE folder_id = ? AND path NOT IN (SELECT value FROM json_each(?))')
        .run(folder, JSON.stringify(models.map(({ path }) => path)))
    })()
  }

  /** A model at that place is offered no more. */
  dismissAt(path: string): void {
    this.#dismissPath.run(path)
  }
}
