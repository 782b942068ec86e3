import type { Connection } from './open.ts'

/** Tags of one kind of item: `checkpoint`, `dataset` or `run`. */
export class TagStore {
  readonly #db: Connection
  readonly #of
  readonly #clear
  readonly #add
  readonly #all
  readonly #addToAll
  readonly #takeFromAll
  readonly #counts

  constructor(db: Connection, kind: 'checkpoint' | 'dataset' | 'run') {
    this.#db = db
    this.#of = db.prepare<[number], string>(`SELECT tag FROM ${kind}_tags WHERE ${kind}_id = ? ORDER BY tag`)
    this.#of.pluck()
    this.#clear = db.prepare<[number]>(`DELETE FROM ${kind}_tags WHERE ${kind}_id = ?`)
    this.#add = db.prepare<[number, string]>(`INSERT OR IGNORE INTO ${kind}_tags (${kind}_id, tag) VALUES (?, ?)`)
    this.#all = db.prepare<[], string>(`SELECT DISTINCT tag FROM ${kind}_tags ORDER BY tag`)
    this.#all.pluck()
    const listed = 'IN (SELECT value FROM json_each(?))'
    this.#addToAll = db.prepare<[string, string]>(
      `INSERT OR IGNORE INTO ${kind}_tags (${kind}_id, tag) SELECT id, ? FROM ${kind}s WHERE id ${listed}`,
    )
    this.#takeFromAll = db.prepare<[string, string]>(`DELETE FROM ${kind}_tags WHERE tag = ? AND ${kind}_id ${listed}`)
    this.#counts = db.prepare<[string], { tag: string; count: number }>(
      `SELECT tag, count(*) AS count FROM ${kind}_tags WHERE ${kind}_id ${listed} GROUP BY tag ORDER BY tag`,
    )
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

  /** Gives a tag to many. */
  addTo(ids: readonly number[], tag: string): void {
    this.#addToAll.run(tag, JSON.stringify(ids))
  }

  /** Takes a tag from many. */
  takeFrom(ids: readonly number[], tag: string): void {
    this.#takeFromAll.run(tag, JSON.stringify(ids))
  }

  /** How many of these have each tag. */
  counts(ids: readonly number[]): { tag: string; count: number }[] {
    return this.#counts.all(JSON.stringify(ids))
  }

  all(): string[] {
    return this.#all.all()
  }
}
