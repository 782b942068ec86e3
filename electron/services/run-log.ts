import { join } from 'node:path'
import { type LogEntry, logEntrySchema } from '../../engine/contract/index.ts'
import type { Context } from './context.ts'
import { JsonLines } from './json-lines.ts'

/** Enters the log that a run kept in its folder, as far as it was not told while the run went on. */
export async function enterLog({ db, runs }: Context, id: number, folder: string): Promise<void> {
  const file = new JsonLines(join(folder, 'log.jsonl'))
  try {
    for (;;) {
      const lines = await file.next()
      if (lines.length === 0) return
      const entries = lines.flatMap((line) => {
        const parsed = logEntrySchema.safeParse(line)
        return parsed.success ? [parsed.data] : []
      })
      db.transaction(() => runs.records.addMissingLog(id, entries))()
    }
  } finally {
    await file.close()
  }
}

/** Enters what the app itself has to say of a run, and tells of it. */
export function noteInLog({ runs, emit }: Context, id: number, level: LogEntry['level'], message: string): void {
  emit('log', { id, lines: [runs.records.addLog(id, { time: Date.now(), level, message })] })
}
