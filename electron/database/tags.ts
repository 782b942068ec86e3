import type { Connection } from './open.ts'

/** Tags of one kind of item: `checkpoint`, `dataset` or `run`. */
export class TagStore {
  readonly #db: Connection
  readonly #of
  readonly #clear
  readonly #add
  readonly #all

  constructor(db: Connection, kind: 'checkpoint' | 'dataset' | 'run') {
    this.#db = db
    this.#of = db.prepare<[number], string>(`SELECT tag FROM ${kind}_tags WHERE ${kind}_id = ? ORDER BY tag`)
    this.#of.pluck()
    this.#clear = db.prepare<[number]>(`DELETE FROM ${kind}_tags WHERE ${kind}_id = ?`)
    this.#add = db.prepare<[number, string]>(`INSERT OR IGNORE INTO ${kind}_tags (${kind}_id, tag) VALUES (?, ?)`)
    this.#all = db.prepare<[], string>(`SELECT DISTINCT tag FROM ${kind}_tags ORDER BY tag`)
    this.#all.pluck()
  }

  of(id: number): string[] {
    return this.#of.all(id)
  }

  set(id: number, tags: readonly string[]): void {
    this.#db.transaction(() => {
      this.#clear.run(id)
      for (const tag of tags) this.#add.run(id, tag)
    })()
  }

  all(): string[] {
    return this.#all.all()
  }
}
