import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { cacheFolder } from './cache-folder.ts'
import { readJson, writeJson } from './files.ts'

/** What a measurement holds for, as the key under which it is kept. */
export const keyOfMeasurement = (what: unknown): string =>
  createHash('sha256').update(JSON.stringify(what)).digest('hex').slice(0, 16)

/** What is measured of files comes anew with each of them: older measurements make room, or the file could not be read one day. */
const mostKept = 10_000

/** When what is kept is measured again all the same, and what is kept of both. */
export interface Renewal<Value> {
  isDue(known: Value): boolean
  better(known: Value, measured: Value): Value
}

/**
 * What was measured under a key before, or a new measurement, which is kept for later runs.
 *
 * @param name of the file in the cache folder that all measurements of this sort are in
 * @param schema of one measurement
 */
export async function measuredOnce<Value>(
  name: string,
  schema: z.ZodType<Value>,
  key: string,
  measure: () => Promise<Value>,
  renewal?: Renewal<Value>,
): Promise<Value> {
  const file = join(cacheFolder(), name)
  const kept = () => readKept(file, schema)
  const known = kept()[key]
  if (known !== undefined && !renewal?.isDue(known)) return known
  const found = await measure()
  const measured = known === undefined || !renewal ? found : renewal.better(known, found)
  try {
    const others = Object.entries(kept())
      .filter(([other]) => other !== key)
      .slice(1 - mostKept)
    writeJson(file, Object.fromEntries([...others, [key, measured]]))
  } catch {
    // If the folder cannot be written, the next run measures again.
  }
  return measured
}

function readKept<Value>(file: string, schema: z.ZodType<Value>): Record<string, Value> {
  try {
    return readJson(file, z.record(z.string(), schema))
  } catch {
    // The file does not exist yet, or it is damaged: measure again.
    return {}
  }
}
