import type { z } from 'zod'

/** Texts that are remembered: the entries of a large library, twice. */
const most = 4000

/**
 * Reads JSON of the database by a schema, each text once: lists ask for the same ones again and again. What it returns is
 * shared, and not to be changed.
 */
export function parsedOnce<Schema extends z.ZodType>(schema: Schema): (text: string) => z.output<Schema> {
  const known = new Map<string, z.output<Schema>>()
  return (text) => {
    const before = known.get(text)
    if (before !== undefined) return before
    const value = schema.parse(JSON.parse(text))
    if (known.size === most) known.delete(known.keys().next().value!)
    known.set(text, value)
    return value
  }
}
