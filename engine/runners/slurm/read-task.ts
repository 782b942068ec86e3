import { existsSync } from 'node:fs'
import type { ParsedServiceParams, TaskReport } from '../../contract/index.ts'
import { endOfFile } from '../../shared/files.ts'
import { logFileOf, readQueueFile, readSubmissions, taskIdsOf, taskOf } from './cluster-folder.ts'

/** Bytes of a task's output that are shown. */
const shown = 64 << 10

/** How a run of a sweep stands on its cluster, from the sweep's folder alone. */
export function readTask({ path, name }: ParsedServiceParams<'readTask'>): TaskReport {
  const queue = readQueueFile(path)
  const known = readSubmissions(path)
  const id = known && taskIdsOf(known).get(name)
  const file = id ? logFileOf(path, id) : null
  return {
    task: taskOf(queue, name),
    asked: queue?.answered ?? null,
    output: file !== null && existsSync(file) ? { file, text: endOfFile(file, shown) } : null,
  }
}
