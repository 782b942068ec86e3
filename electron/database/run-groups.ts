import type { RunValue } from './runs.ts'

/** A run that the history found, and what it is grouped by: the sweep that it belongs to, or a value. */
export interface Keyed {
  id: number
  key: RunValue
}

/** A row of the table: a run, or what stands over runs that have a value in common. */
export type TableEntry =
  | { type: 'run'; id: number; depth: 0 | 1; sweep: number | null; members: readonly number[] }
  | { type: 'group'; value: RunValue; members: readonly number[] }

/** What an opened group is called, however it was opened. */
export const groupKey = (value: RunValue): string => JSON.stringify(value)

/** Runs of a sweep under it, at the place of the first of them; all others as they come. */
export function foldSweeps(runs: readonly Keyed[], isOpen: (key: string) => boolean): TableEntry[] {
  const members = new Map<RunValue, number[]>()
  for (const { id, key } of runs) {
    if (key === null) continue
    if (!members.has(key)) members.set(key, [])
    if (id !== key) members.get(key)!.push(id)
  }
  const placed = new Set<RunValue>()
  return runs.flatMap(({ id, key }): TableEntry[] => {
    if (key === null) return [{ type: 'run', id, depth: 0, sweep: null, members: [] }]
    if (placed.has(key)) return []
    placed.add(key)
    const own = members.get(key)!
    const sweep = Number(key)
    return [
      { type: 'run', id: sweep, depth: 0, sweep: null, members: own },
      ...under(own, isOpen(groupKey(key)), sweep),
    ]
  })
}

/** Runs under each value that they have, at the place of the first of them, or, where no order was asked for, by value. */
export function groupByValue(runs: readonly Keyed[], isOpen: (key: string) => boolean, byValue: boolean): TableEntry[] {
  const groups = [...Map.groupBy(runs, ({ key }) => key)]
  if (byValue) groups.sort(([one], [other]) => inOrder(one, other))
  return groups.flatMap(([value, own]): TableEntry[] => {
    const members = own.map(({ id }) => id)
    return [{ type: 'group', value, members }, ...under(members, isOpen(groupKey(value)), null)]
  })
}

const under = (members: readonly number[], isOpen: boolean, sweep: number | null): TableEntry[] =>
  isOpen ? members.map((id) => ({ type: 'run', id, depth: 1, sweep, members: [] })) : []

/** Numbers before texts, and what has no value last. */
function inOrder(one: RunValue, other: RunValue): number {
  if (one === null || other === null) return Number(one === null) - Number(other === null)
  if (typeof one === 'number' && typeof other === 'number') return one - other
  return typeof one === typeof other ? String(one).localeCompare(String(other)) : typeof one === 'number' ? -1 : 1
}
