import assert from 'node:assert/strict'
import Database from 'better-sqlite3'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { sample, TestApp } from '../../unit/electron/services.ts'

/** Every statement of this process that writes fails while this is true, as on a disk without room. */
let full = false
const statement = Object.getPrototypeOf(new Database(':memory:').prepare('SELECT 1')) as Database.Statement
const { run } = statement
statement.run = function (this: Database.Statement, ...parameters: unknown[]) {
  if (full) throw new Database.SqliteError('database or disk is full', 'SQLITE_FULL')
  return run.apply(this, parameters)
}

let app: TestApp
before(async () => void (app = await TestApp.open()))
after(async () => {
  full = false
  statement.run = run
  await app.remove()
})

const job = (changes: object) => ({
  kind: 'prune',
  checkpoint: join(sample, 'model'),
  data: [join(sample, 'train.jsonl')],
  maxDocuments: 100,
  batchSize: 1,
  sequenceLength: 16,
  rank: 2,
  frequency: 2,
  threads: 1,
  device: 'onnx',
  ...changes,
})
const waitFor = async (holds: () => boolean | Promise<boolean>) => {
  while (!(await holds())) await sleep(20)
}

// A run that stays as it was would be waited for without end.
const patience = { timeout: 120_000 }

test(
  'how a run ended is written once the disk has room again, and no run is shown as running without a process',
  patience,
  async () => {
    const { id } = await app.ask('runs.create', { job: job({ steps: 30 }), name: 'filled' })
    const { folder } = await app.until(id, (row) => row.state === 'running' && (row.progress?.step ?? 0) > 0)
    full = true
    await waitFor(() => existsSync(join(folder, 'result.json')))
    const shown = await app.until(id, (row) => row.state !== 'running')
    assert.equal(shown.state, 'done')
    assert.match(shown.reason!, /could not be written down yet \(the disk is full/)
    assert.equal(shown.resumable, false)
    assert.deepEqual(await app.ask('runs.active'), [])
    assert.equal((await app.ask('history.query', { search: 'filled' })).rows[0]!.state, 'done')
    const totals = (['done', 'running'] as const).map(
      async (state) => (await app.ask('history.query', { states: [state] })).total,
    )
    assert.deepEqual(await Promise.all(totals), [1, 0])
    assert.match((await app.problem('runs.resume', { id })).message, /cannot be resumed yet.*the disk is full/)
    assert.equal((await app.problem('runs.cancel', { id })).kind, 'conflict')
    assert.equal(app.platform.awake, false)
    // It lasts longer than one try.
    await sleep(1200)
    assert.equal(app.told('notice').filter(({ message }) => message.startsWith('filled: This could not')).length, 1)
    full = false
    await waitFor(async () => (await app.ask('runs.get', { id })).reason === null)
    const done = await app.ask('runs.get', { id })
    assert.ok(done.outputId !== null)
    assert.deepEqual([done.state, done.reason], ['done', null])
    const [loss] = await app.ask('runs.series', { id, names: ['loss'], points: 100 })
    assert.equal(loss!.points, 30)
  },
)

test('so is the end of a run that fails, and the next in the queue waits for the disk', patience, async () => {
  const failing = await app.ask('runs.create', { job: job({ steps: 100_000 }), name: 'killed' })
  const next = await app.ask('runs.create', { job: job({ steps: 2 }), name: 'next' })
  await app.until(failing.id, (row) => (row.progress?.step ?? 0) > 0)
  const { folder } = await app.ask('runs.get', { id: failing.id })
  const { pid } = JSON.parse(readFileSync(join(folder, 'lock.json'), 'utf8')) as { pid: number }
  full = true
  process.kill(pid, 'SIGKILL')
  await waitFor(async () => (await app.ask('runs.get', { id: failing.id })).state === 'failed')
  assert.equal((await app.ask('runs.get', { id: next.id })).state, 'queued')
  full = false
  await app.until(next.id, (row) => row.state === 'done')
  const failed = await app.ask('runs.get', { id: failing.id })
  assert.equal(failed.state, 'failed')
  assert.doesNotMatch(failed.reason!, /written down/)
})
