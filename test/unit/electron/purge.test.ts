import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDatabase } from '../../../electron/database/open.ts'
import { fillWithRuns } from '../../bench/many-runs.ts'
import { TestApp } from './services.ts'

test('what was removed long ago is forgotten with its curves, what was removed lately can be brought back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'secateur-purge-'))
  const ids = fillWithRuns(folder, { runs: 3, long: 3, steps: 12_000 })
  const [old, recent, kept] = ids as [number, number, number]
  const day = 24 * 3600 * 1000
  const { db } = openDatabase(folder)
  const remove = db.prepare('UPDATE runs SET removed = ? WHERE id = ?')
  remove.run(Date.now() - 31 * day, old)
  remove.run(Date.now() - 29 * day, recent)
  db.close()

  const app = await TestApp.open(folder)
  await app.ask('runs.restore', { ids: [recent] })
  for (const id of [recent, kept]) assert.equal((await app.ask('runs.series', { id, points: 10 }))[0]!.points, 12_000)
  assert.equal((await app.problem('runs.restore', { ids: [old] })).kind, 'not-found')
  await app.close()
  // A start goes on where the one before it stopped.
  const left = () => {
    const { db: between } = openDatabase(folder)
    const count = between.prepare('SELECT count(*) FROM runs WHERE id = ?').pluck().get(old)
    between.close()
    return count
  }
  for (let tries = 0; tries < 20 && left() === 1; tries++) {
    const next = await TestApp.open(folder)
    await new Promise((resolve) => setTimeout(resolve, 200))
    await next.close()
  }

  const { db: after } = openDatabase(folder)
  for (const table of ['metrics', 'run_values', 'run_tags'])
    assert.equal(after.prepare(`SELECT count(*) FROM ${table} WHERE run_id = ?`).pluck().get(old), 0, table)
  assert.equal(after.prepare('SELECT count(*) FROM runs').pluck().get(), 2)
  assert.equal(after.prepare('SELECT count(*) FROM run_search').pluck().get(), 2)
  after.close()
  const again = await TestApp.open(folder)
  await again.remove()
})
