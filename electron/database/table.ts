import type { Statement } from 'better-sqlite3'
import type { Connection } from './open.ts'

/** One table with an `id`: what every store does with its rows. Statements are prepared when they are first needed. */
export class Table<Row extends { id: number }> {
  protected readonly db: Connection
  readonly #name: string
  readonly #get
  readonly #prepared = new Map<string, Statement<[object]>>()

  constructor(db: Connection, name: string) {
    this.db = db
    this.#name = name
    this.#get = db.prepare<[number], Row>(`SELECT * FROM ${name} WHERE id = ?`)
  }

  get(id: number): Row | undefined {
    return this.#get.get(id)
  }

  /** @returns the new row's id */
  insert(row: Omit<Row, 'id'>): number {
    const columns = Object.keys(row)
    const places = columns.map((column) => `@${column}`)
    const statement = this.#statement(`INSERT INTO ${this.#name} (${columns.join(', ')}) VALUES (${places.join(', ')})`)
    return Number(statement.run(row).lastInsertRowid)
  }

  update(id: number, changes: Partial<Omit<Row, 'id'>>): void {
    if (Object.keys(changes).length === 0) return
    this.#statement(`UPDATE ${this.#name} SET ${assigned(changes)} WHERE id = @id`).run({ ...changes, id })
  }

  remove(id: number): void {
    this.#statement(`DELETE FROM ${this.#name} WHERE id = @id`).run({ id })
  }

  updateAll(ids: readonly number[], changes: Partial<Omit<Row, 'id'>>): void {
    const where = 'WHERE id IN (SELECT value FROM json_each(@ids))'
    const statement = this.#statement(`UPDATE ${this.#name} SET ${assigned(changes)} ${where}`)
    statement.run({ ...changes, ids: JSON.stringify(ids) })
  }

  #statement(sql: string): Statement<[object]> {
    let statement = this.#prepared.get(sql)
    if (!statement) this.#prepared.set(sql, (statement = this.db.prepare<[object]>(sql)))
    return statement
  }
}

/** A table of files and folders, no two of which have one path. */
export class PathTable<Row extends { id: number; path: string }> extends Table<Row> {
  readonly #byPath
  readonly #freePath

  constructor(db: Connection, name: string) {
    super(db, name)
    this.#byPath = db.prepare<[string], Row>(`SELECT * FROM ${name} WHERE path = ?`)
    this.#freePath = db.prepare<[string, number]>(
      `UPDATE ${name} SET path = path || ' (removed ' || id || ')' WHERE path = ? AND id <> ?`,
    )
  }

  byPath(path: string): Row | undefined {
    return this.#byPath.get(path)
  }

  /** Has an entry that was removed give up its path, where it is the one that an entry is to get. */
  freePath(path: string, forId: number): void {
    this.#freePath.run(path, forId)
  }
}

const assigned = (changes: object): string =>
  Object.keys(changes)
    .map((column) => `${column} = @${column}`)
    .join(', ')
