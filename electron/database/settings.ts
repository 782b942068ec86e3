import type { Connection } from './open.ts'

/** Settings of the app by name, as JSON. */
export class SettingStore {
  readonly #db: Connection
  readonly #all
  readonly #put
  readonly #remove

  constructor(db: Connection) {
    this.#db = db
    this.#all = db.prepare<[], { name: string; value: string }>('SELECT name, value FROM settings')
    this.#put = db.prepare<[string, string]>('INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)')
    this.#remove = db.prepare<[string]>('DELETE FROM settings WHERE name = ?')
  }

  all(): Record<string, unknown> {
    return Object.fromEntries(this.#all.all().map(({ name, value }) => [name, JSON.parse(value) as unknown]))
  }

  /** A value of undefined takes the setting away. */
  put(changes: Record<string, unknown>): void {
    this.#db.transaction(() => {
      for (const [name, value] of Object.entries(changes))
        if (value === undefined) this.#remove.run(name)
        else this.#put.run(name, JSON.stringify(value))
    })()
  }
}
