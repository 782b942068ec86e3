import { setImmediate } from 'node:timers/promises'
import type { Context } from './context.ts'

/** Milliseconds for which what was removed can be restored. */
const keptFor = 30 * 24 * 3600 * 1000
const slice = 10_000

/** Deletes what was removed long ago. Deletes the curves of a long run in slices, so that requests are answered in between. */
export async function purge({ db, runs }: Context): Promise<void> {
  const before = Date.now() - keptFor
  const cut = db.prepare<[number, number]>('DELETE FROM metrics WHERE run_id = ? AND level = 0 AND bucket <= ?')
  const removeRun = db.transaction((id: number) => {
    db.prepare('DELETE FROM run_search WHERE rowid = ?').run(id)
    db.prepare('DELETE FROM runs WHERE id = ?').run(id)
  })
  // From here on these runs cannot be restored.
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
  // Parents of other checkpoints stay, since the lineage shows them.
  db.prepare(
    `DELETE FROM checkpoints WHERE removed < ? AND id NOT IN (SELECT parent_id FROM checkpoint_parents)
     AND id NOT IN (SELECT checkpoint_id FROM runs WHERE checkpoint_id IS NOT NULL)`,
  ).run(before)
}
