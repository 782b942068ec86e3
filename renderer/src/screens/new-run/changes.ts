import { engine } from '../../../../electron/contract/index.ts'

export const sameValue = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** The value at a dotted path. */
export const at = (object: unknown, key: string): unknown =>
  key
    .split('.')
    .reduce<unknown>(
      (value, name) =>
        typeof value === 'object' && value !== null && Object.hasOwn(value, name)
          ? (value as Record<string, unknown>)[name]
          : undefined,
      object,
    )

/** Leaves of a job by their dotted path; lists, and the files of an evaluation, count as one. */
export function flatten(job: object, prefix = ''): Map<string, unknown> {
  const flat = new Map<string, unknown>()
  for (const [name, value] of Object.entries(job)) {
    const key = prefix + name
    if (typeof value !== 'object' || value === null || Array.isArray(value)) flat.set(key, value)
    else for (const [inner, leaf] of flatten(value as object, `${key}.`)) flat.set(inner, leaf)
  }
  return flat
}

export interface SettingChange {
  readonly key: string
  readonly before: unknown
  readonly after: unknown
}

/** Settings in force that differ between two jobs, in the order of their names in either; run folders always differ. */
export function changesBetween(before: object, after: object): SettingChange[] {
  const old = flatten(engine.saidOf(before))
  const fresh = flatten(engine.saidOf(after))
  return [...new Set([...old.keys(), ...fresh.keys()])]
    .filter((key) => key !== 'out' && !sameValue(old.get(key), fresh.get(key)))
    .map((key) => ({ key, before: old.get(key), after: fresh.get(key) }))
}
