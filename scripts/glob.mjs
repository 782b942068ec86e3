import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Files below a folder whose name matches a pattern, sorted, so that every Node from 18 on runs the same list. */
export function globSync(folder, pattern) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) =>
      entry.isDirectory()
        ? globSync(join(folder, entry.name), pattern)
        : pattern.test(entry.name)
          ? [join(folder, entry.name)]
          : [],
    )
    .sort()
}
