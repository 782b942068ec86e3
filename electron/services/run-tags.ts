import type { ParsedRequest } from '../contract/index.ts'
import type { Context } from './context.ts'
import { inSlices } from './history.ts'
import { outlinesOf } from './run-summary.ts'

/** Gives tags to many runs and takes tags from them; the search learns of it in slices, so that requests are answered in between. */
export async function tagRuns(context: Context, { ids, add, remove }: ParsedRequest<'runs.tag'>): Promise<undefined> {
  const { db, runs, emit } = context
  outlinesOf(context, ids)
  db.transaction(() => {
    for (const tag of add) runs.tags.addTo(ids, tag)
    for (const tag of remove) runs.tags.takeFrom(ids, tag)
  })()
  for await (const part of inSlices(ids))
    db.transaction(() => {
      for (const id of part) runs.index(id)
    })()
  emit('runsChanged', { ids: [...ids] })
  return undefined
}
