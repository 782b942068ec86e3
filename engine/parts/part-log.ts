import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { logEntrySchema } from '../contract/index.ts'
import { runFiles } from '../runs/run-files.ts'
import { parseJsonOrNull } from '../shared/files.ts'
import { readLines } from '../shared/read-lines.ts'

/** Bytes of a line of a log at most. */
const longestLine = 1 << 20

/** What the log of a part warns of. A line that is none says nothing: a crash may have cut it. */
export function warningsOf(folder: string): string[] {
  const file = join(folder, runFiles.log)
  if (!existsSync(file)) return []
  const warnings: string[] = []
  for (const { text } of readLines(file, longestLine)) {
    const { data } = logEntrySchema.safeParse(parseJsonOrNull(text))
    if (data?.level === 'warning') warnings.push(data.message)
  }
  return warnings
}
