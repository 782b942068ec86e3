import assert from 'node:assert/strict'
import Database from 'better-sqlite3'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { amountInForce } from '../../../electron/database/migrations/0011-amount-in-force.ts'
import { migrations } from '../../../electron/database/migrations/index.ts'
import { databaseName, openDatabase } from '../../../electron/database/open.ts'

const root = mkdtempSync(join(tmpdir(), 'secateur-database-'))
after(() => rmSync(root, { recursive: true, force: true }))
const newFolder = () => mkdtempSync(join(root, 'data-'))

/** Everything that makes up the schema, however it came about. */
function schemaOf(db: Database.Database): unknown {
  const tables = db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    .pluck()
    .all() as string[]
  return tables.map((table) => [
    table,
    db.pragma(`table_xinfo(${table})`),
    db.pragma(`foreign_key_list(${table})`),
    (db.pragma(`index_list(${table})`) as { name: string }[]).map(({ name }) => name).sort(),
  ])
}

test('a new database has the newest schema, and settings that lose nothing', () => {
  const { db, keptAside } = openDatabase(newFolder())
  assert.equal(keptAside, undefined)
  assert.equal(db.pragma('user_version', { simple: true }), migrations.length)
  assert.equal(db.pragma('journal_mode', { simple: true }), 'wal')
  assert.equal(db.pragma('synchronous', { simple: true }), 2)
  assert.equal(db.pragma('foreign_keys', { simple: true }), 1)
  db.close()
})

test("the database, what lies beside it and its copies are nobody else's to read", () => {
  const folder = newFolder()
  const file = join(folder, databaseName)
  const early = new Database(file)
  early.exec(migrations[0]!)
  early.pragma('user_version = 1')
  early.close()
  chmodSync(file, 0o644)
  const { db } = openDatabase(folder)
  const names = readdirSync(folder)
  assert.ok(names.length > 2, names.join(' '))
  for (const name of names) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name)
  db.close()
})

for (let version = 1; version < migrations.length; version++)
  test(`a database of schema ${version} is brought to the newest one, and a copy is kept`, () => {
    const folder = newFolder()
    const file = join(folder, databaseName)
    const old = new Database(file)
    for (const migration of migrations.slice(0, version)) old.exec(migration)
    old.pragma(`user_version = ${version}`)
    old.exec(
      `INSERT INTO runs (name, kind, state, folder, checkpoint_name, created, job) VALUES ('kept', 'prune', 'done', '/x', 'c', 1, '{}')`,
    )
    const oldSchema = schemaOf(old)
    old.close()

    const { db } = openDatabase(folder)
    const { db: fresh } = openDatabase(newFolder())
    assert.deepEqual(schemaOf(db), schemaOf(fresh))
    assert.equal(db.prepare('SELECT name FROM runs').pluck().get(), 'kept')
    assert.equal(db.pragma('user_version', { simple: true }), migrations.length)
    db.close()
    fresh.close()

    const copy = new Database(`${file}.schema-${version}`, { readonly: true })
    assert.deepEqual(schemaOf(copy), oldSchema)
    assert.equal(copy.prepare('SELECT name FROM runs').pluck().get(), 'kept')
    copy.close()
  })

test('settings of earlier runs get the names that they have now', () => {
  const folder = newFolder()
  const old = new Database(join(folder, databaseName))
  for (const migration of migrations.slice(0, 2)) old.exec(migration)
  old.pragma('user_version = 2')
  old.exec(`
    INSERT INTO runs (id, name, kind, state, folder, checkpoint_name, created, job) VALUES (7, 'a', 'prune', 'done', '/x', 'c', 1, '{}');
    INSERT INTO value_names VALUES (1, 'setting.rows'), (2, 'setting.activations'), (3, 'setting.evaluation.rows'),
      (4, 'metric.loss'), (5, 'setting.criterion'), (6, 'setting.base.clipNorm');
    INSERT INTO run_values VALUES (7, 1, 4), (7, 2, 'keep'), (7, 3, 'rows.jsonl'), (7, 4, 0.5), (7, 5, 'keep'), (7, 6, 1);
    INSERT INTO run_search (rowid, name, notes, tags, settings) VALUES (7, 'a', '', '', 'rows 4');
    INSERT INTO settings VALUES ('historyColumns', '["state","setting.rows","metric.loss"]'), ('threads', '3');`)
  old.close()

  const { db } = openDatabase(folder)
  const values = db
    .prepare('SELECT name, value FROM run_values JOIN value_names ON id = name_id ORDER BY id')
    .raw()
    .all()
  assert.deepEqual(values, [
    ['setting.batchSize', 4],
    ['setting.gradientCheckpointing', 'off'],
    ['setting.evaluation.predictions', 'rows.jsonl'],
    ['metric.loss', 0.5],
    ['setting.criterion', 'keep'],
    ['setting.base.maxGradientNorm', 1],
  ])
  assert.deepEqual(db.prepare('SELECT value FROM settings ORDER BY name').pluck().all(), [
    '["state","setting.batchSize","metric.loss"]',
    '3',
  ])
  const found = db.prepare('SELECT rowid FROM run_search WHERE run_search MATCH ?').pluck()
  assert.deepEqual([found.all('batchSize'), found.all('rows')], [[7], [7]])
  assert.deepEqual(found.all('documents'), [])
  db.close()
})

test('earlier runs show the amount that was in force alone', () => {
  const folder = newFolder()
  const before = migrations.indexOf(amountInForce)
  const old = new Database(join(folder, databaseName))
  for (const migration of migrations.slice(0, before)) old.exec(migration)
  old.pragma(`user_version = ${before}`)
  old.exec(`
    INSERT INTO runs (id, name, kind, state, folder, checkpoint_name, created, job) VALUES
      (1, 'a', 'prune', 'done', '/1', 'c', 1, '{}'), (2, 'b', 'prune', 'done', '/2', 'c', 1, '{}'), (3, 'c', 'prune', 'done', '/3', 'c', 1, '{}');
    INSERT INTO value_names VALUES (101, 'setting.ratio'), (102, 'setting.ratioOf'), (103, 'setting.budget'), (104, 'setting.targetParameters'), (105, 'setting.steps');
    INSERT INTO run_values VALUES (1, 101, 0.5), (1, 102, 'groups'), (1, 103, 'memory=4GB'), (1, 105, 9), (2, 101, 0.3), (2, 102, 'groups'), (3, 101, 0.5), (3, 104, 7000);
    INSERT INTO run_search (rowid, name, notes, tags, settings) VALUES
      (1, 'a', '', '', 'ratio 0.5\nbudget memory=4GB\nsteps 9'), (2, 'b', '', '', 'ratio 0.3'), (3, 'c', '', '', 'ratio 0.5');`)
  old.close()

  const { db } = openDatabase(folder)
  const settings = db
    .prepare('SELECT run_id, substr(name, 9) FROM run_values JOIN value_names ON id = name_id ORDER BY run_id, name')
    .raw()
    .all()
  assert.deepEqual(settings, [
    [1, 'budget'],
    [1, 'steps'],
    [2, 'ratio'],
    [2, 'ratioOf'],
    [3, 'targetParameters'],
  ])
  const found = db.prepare('SELECT rowid FROM run_search WHERE run_search MATCH ? ORDER BY rowid').pluck()
  assert.deepEqual([found.all('ratio'), found.all('steps'), found.all('targetParameters')], [[2], [1], [3]])
  db.close()
})

test('a migration that fails leaves the database as it was', () => {
  const folder = newFolder()
  const file = join(folder, databaseName)
  const old = new Database(file)
  old.exec('CREATE TABLE checkpoints (stands TEXT)')
  old.close()
  assert.throws(() => openDatabase(folder), /checkpoints already exists/)
  const again = new Database(file)
  assert.equal(again.pragma('user_version', { simple: true }), 0)
  assert.deepEqual(again.prepare('SELECT name FROM sqlite_schema').pluck().all(), ['checkpoints'])
  again.close()
})

test('a database of a newer version is refused and not touched', () => {
  const folder = newFolder()
  const file = join(folder, databaseName)
  const newer = new Database(file)
  newer.pragma('journal_mode = WAL')
  newer.exec('CREATE TABLE future (x)')
  newer.pragma(`user_version = ${migrations.length + 1}`)
  newer.close()
  const bytes = readFileSync(file)
  assert.throws(() => openDatabase(folder), {
    name: 'ProblemError',
    message: /newer Secateur \(schema \d+; this one knows \d+\).*Update the app/,
  })
  assert.ok(readFileSync(file).equals(bytes))
  assert.deepEqual(
    readdirSync(folder).filter((name) => !/-(wal|shm)$/.test(name)),
    [databaseName],
  )
})

/** Damages a database in some way. */
const damages: Record<string, (file: string) => void> = {
  'is no database': (file) =>
    writeFileSync(file, 'this was never a database, and is long enough to be looked at '.repeat(40)),
  'is cut short': (file) => writeFileSync(file, readFileSync(file).subarray(0, 20_000)),
  'has pages of noise': (file) => {
    const bytes = readFileSync(file)
    for (let at = 4096; at < bytes.length; at++) bytes[at] = (at * 7919) & 255
    writeFileSync(file, bytes)
  },
  'has one damaged page': (file) => {
    const bytes = readFileSync(file)
    bytes.fill(0xff, 3 * 4096, 3 * 4096 + 400)
    writeFileSync(file, bytes)
  },
}
for (const [what, damage] of Object.entries(damages))
  test(`a database that ${what} is kept aside, byte for byte, and a new one takes its place`, () => {
    const folder = newFolder()
    const file = join(folder, databaseName)
    openDatabase(folder).db.close()
    damage(file)
    const copy = join(root, 'copy')
    copyFileSync(file, copy)
    const { db, keptAside } = openDatabase(folder)
    assert.ok(keptAside?.startsWith(`${file}.damaged-`))
    assert.ok(readFileSync(keptAside!).equals(readFileSync(copy)))
    assert.equal(db.prepare('SELECT count(*) FROM runs').pluck().get(), 0)
    db.close()
    assert.equal(openDatabase(folder).keptAside, undefined)
  })

test('a second process, or connection, is told that the folder is in use', () => {
  const folder = newFolder()
  const { db } = openDatabase(folder)
  assert.throws(() => openDatabase(folder), /Another Secateur has .* open/)
  db.close()
  const { db: again } = openDatabase(folder)
  again.close()
  assert.ok(existsSync(join(folder, databaseName)))
})
