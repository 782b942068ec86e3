import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Inspection, inspectionSchema } from '../../engine/contract/index.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'

/** What the engine said of a checkpoint when it was last inspected. */
export const inspectionOf = (row: CheckpointRow): Inspection => inspectionSchema.parse(JSON.parse(row.inspection))

/** The kind of tokenizer that a checkpoint has; null where it has none that can be read. */
export function tokenizerOf(inspection: Inspection): string | null {
  if (inspection.kind === 'adapter' || inspection.tokenizer === null) return null
  return 'kind' in inspection.tokenizer ? inspection.tokenizer.kind : null
}

/** Whether the files are those that were seen before, by name and size, and by time unless it was a copy. */
export function sameFiles(before: string, now: Inspection, times = true): boolean {
  const earlier = inspectionSchema.safeParse(JSON.parse(before))
  const list = ({ files }: Inspection) =>
    files.map(({ name, bytes, modifiedMs }) => `${name} ${bytes} ${times ? modifiedMs : ''}`).sort()
  return earlier.success && list(earlier.data).join('\n') === list(now).join('\n')
}

/** Whether the files of a checkpoint are as they were when it was last inspected. */
export async function statusOf(row: CheckpointRow): Promise<CheckpointRow['status']> {
  const { files } = inspectionOf(row)
  const states = await Promise.all(
    files.map(async ({ name, bytes, modifiedMs }) => {
      try {
        const now = await stat(join(row.path, name))
        return now.size === bytes && Math.abs(now.mtimeMs - modifiedMs) < 2 ? 'present' : 'changed'
      } catch {
        return 'missing'
      }
    }),
  )
  if (states.every((state) => state === 'missing')) return 'missing'
  return states.every((state) => state === 'present') ? 'present' : 'changed'
}
