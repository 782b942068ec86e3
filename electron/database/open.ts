import Database from 'better-sqlite3'
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ProblemError } from '../problems.ts'
import { migrations } from './migrations/index.ts'

export type Connection = Database.Database

export const databaseName = 'secateur.sqlite'
/** A larger file is checked only if it was not closed properly, since a check takes seconds. */
const checkedBytes = 256e6
/** Milliseconds to wait for another app that is closing to release the file. */
const patience = 1000

/**
 * Opens the database of a data folder, and brings it to this version's schema after a copy of the old file was kept.
 * A file that cannot be read is kept aside under another name, and a new one is made.
 *
 * @throws ProblemError where a newer Secateur wrote it (it stays as it is), or another process has it open.
 */
export function openDatabase(folder: string): { db: Connection; keptAside?: string } {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, databaseName)
  try {
    return { db: openSound(file) }
  } catch (error) {
    if (!isDamage(error)) throw error
    const keptAside = keepAside(file)
    return { db: openSound(file), keptAside }
  }
}

function openSound(file: string): Connection {
  const unclean = existsSync(`${file}-wal`) && statSync(`${file}-wal`).size > 0
  const existed = existsSync(file) && statSync(file).size > 0
  if (existed) refuseNewer(file)
  keepPrivate(file)
  const db = new Database(file, { timeout: patience })
  try {
    // Locked from here to the end of the process: a second Secateur on the same folder would run the same queue.
    db.pragma('locking_mode = EXCLUSIVE')
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.pragma('foreign_keys = ON')
    db.exec('BEGIN IMMEDIATE; COMMIT')
    if (existed && (unclean || statSync(file).size < checkedBytes)) checkPages(db)
    migrate(db, file)
    return db
  } catch (error) {
    db.close()
    if (codeOf(error).startsWith('SQLITE_BUSY'))
      throw new ProblemError('in-use', `Another Secateur has ${file} open: close that one first.`, { file })
    throw error
  }
}

/** Prompts, notes and paths are nobody else's; SQLite gives the files beside it the same mode. */
function keepPrivate(file: string): void {
  closeSync(openSync(file, 'a', 0o600))
  for (const part of ['', '-wal', '-shm']) if (existsSync(`${file}${part}`)) makePrivate(`${file}${part}`)
}

function makePrivate(file: string): void {
  try {
    chmodSync(file, 0o600)
  } catch {
    // Some file systems know no modes, and the file of another user is theirs to change.
  }
}

/** Reads the version through a connection that cannot write. */
function refuseNewer(file: string): void {
  const db = new Database(file, { readonly: true, timeout: patience })
  try {
    const version = versionOf(db)
    if (version > migrations.length)
      throw new ProblemError(
        'refused',
        `${file} was written by a newer Secateur (schema ${version}; this one knows ${migrations.length}). ` +
          'Update the app, or give it another data folder. The file was left as it is.',
        { file },
      )
  } catch (error) {
    if (codeOf(error).startsWith('SQLITE_BUSY'))
      throw new ProblemError('in-use', `Another Secateur has ${file} open: close that one first.`, { file })
    throw error
  } finally {
    db.close()
  }
}

const versionOf = (db: Connection): number => db.pragma('user_version', { simple: true }) as number

function checkPages(db: Connection): void {
  const [first] = db.pragma('quick_check(1)') as { quick_check: string }[]
  if (first?.quick_check !== 'ok') throw new Damage(first?.quick_check ?? 'quick_check said nothing')
}

class Damage extends Error {}
const codeOf = (error: unknown): string => (error instanceof Database.SqliteError ? error.code : '')
const isDamage = (error: unknown): boolean =>
  error instanceof Damage || codeOf(error).startsWith('SQLITE_CORRUPT') || codeOf(error) === 'SQLITE_NOTADB'

/** Renames the file together with its -wal and -shm: the -wal has changes that are not in the file yet. */
function keepAside(file: string): string {
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(':', '-')
  let aside = `${file}.damaged-${stamp}`
  for (let again = 2; existsSync(aside); again++) aside = `${file}.damaged-${stamp}-${again}`
  for (const part of ['', '-wal', '-shm'])
    if (existsSync(`${file}${part}`)) renameSync(`${file}${part}`, `${aside}${part}`)
  return aside
}

/** Applies the missing migrations in one transaction. */
function migrate(db: Connection, file: string): void {
  const version = versionOf(db)
  if (version === migrations.length) return
  if (version > 0) {
    const copy = `${file}.schema-${version}`
    if (!existsSync(copy)) db.prepare('VACUUM INTO ?').run(copy)
    makePrivate(copy)
  }
  db.transaction(() => {
    for (const migration of migrations.slice(version)) db.exec(migration)
    db.pragma(`user_version = ${migrations.length}`)
    const broken = db.pragma('foreign_key_check') as unknown[]
    if (broken.length > 0)
      throw new Error(`the migration to schema ${migrations.length} breaks ${broken.length} references`)
  })()
}
