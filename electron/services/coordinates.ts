import type { Coordinates } from '../contract/index.ts'
import type { History } from '../database/history.ts'
import type { Handlers } from './handlers.ts'
import { inSlices, valueColumns } from './history.ts'

/** What parallel coordinates of any runs are drawn from. */
export const coordinateHandlers = (history: History): Handlers<'coordinates.get'> => ({
  'coordinates.get': ({ ids }) => coordinatesOf(history, ids),
})

async function coordinatesOf(history: History, ids: readonly number[]): Promise<Coordinates> {
  const all = valueColumns(history)
  const keys = all.map(({ key }) => key)
  const runs: Coordinates['runs'] = []
  for await (const part of inSlices(ids))
    for (const { run, values } of history.rows(part, keys))
      if (run.kind !== 'sweep') runs.push({ id: run.id, name: run.name, values })
  const kept = all.flatMap((column, at) => {
    const known = runs.map(({ values }) => values[at] ?? null).filter((value) => value !== null)
    const isKept = column.key.startsWith('setting.')
      ? new Set(known).size > 1
      : known.filter((value) => typeof value === 'number').length > 1
    return isKept ? [{ column, at }] : []
  })
  const [settings, metrics] = ['setting.', 'metric.'].map((kind) =>
    kept.filter(({ column }) => column.key.startsWith(kind)),
  )
  return {
    settings: settings!.map(({ column }) => column),
    metrics: metrics!.map(({ column }) => column),
    runs: runs.map(({ id, name, values }) => ({
      id,
      name,
      values: [...settings!, ...metrics!].map(({ at }) => values[at] ?? null),
    })),
  }
}
