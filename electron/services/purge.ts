import { setImmediate } from 'node:timers/promises'
import type { Context } from './context.ts'

/** For how long what was removed can be brought back. */
const keptFor = 30 * 24 * 3600 * 1000
const slice = 10_000

/** Forgets for good what was removed long ago; the curves of a long run in slices, so that nothing waits. */
export async function purge({ db, runs }: Context): Promise<void> {
  const before = Date.now() - keptFor
  const cut = db.prepare<[number, number]>('DELETE FROM metrics WHERE run_id = ? AND level = 0 AND bucket <= ?')
  const removeRun = db.transaction((id: number) => {
    db.prepare('DELETE FROM run_search WHERE rowid = ?').run(id)
    db.prepare('DELETE FROM runs WHERE id = ?').run(id)
  })
  // From here on they cannot be brought back.
  db.prepare('UPDATE runs SET removed = 0 WHERE removed < ?').run(before)
  for (const id of db.prepare<[], number>('SELECT id FROM runs WHERE removed = 0').pluck().all()) {
    const last = runs.metrics.lastStep(id)
    for (let step = slice; step < last + slice; step += slice) {
      cut.run(id, step)
      await setImmediate()
    }
    removeRun(id)
    await setImmediate()
  }
  db.prepare('DELETE FROM datasets WHERE removed < ?').run(before)
  // What other checkpoints were made of stays, so that their lineage can be told.
  db.prepare(
    `DELETE FROM checkpoints WHERE removed < ? AND id NOT IN (SELECT parent_id FROM checkpoint_parents)
     AND id NOT IN (SELECT checkpoint_id FROM runs WHERE checkpoint_id IS NOT NULL)`,
  ).run(before)
}
