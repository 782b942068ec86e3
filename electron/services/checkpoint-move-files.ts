import { rename, rm, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { syncFolder } from '../../engine/shared/files.ts'
import { codeOf } from '../../engine/shared/system-errors.ts'
import type { MoveRow } from '../database/checkpoint-moves.ts'
import type { MovePlan } from './checkpoint-move-plan.ts'
import { exists, type FoundFile, filesOf } from './files.ts'

/** The files that a move takes away, and whether their folder goes with them. */
export type Origin = Pick<MovePlan, 'folder' | 'files' | 'whole'>

/** What a folder is called from when its copy counts until it is gone. */
const goingFrom = (folder: string): string => join(dirname(folder), `.${basename(folder)}.secateur-moved`)

/** Gives a folder another name, on its drive. False where what looks like one drive is several. */
export async function isRenamed(folder: string, target: string): Promise<boolean> {
  try {
    await rename(folder, target)
  } catch (error) {
    if (codeOf(error) === 'EXDEV') return false
    throw error
  }
  for (const parent of [dirname(target), dirname(folder)]) syncFolder(parent)
  return true
}

/** Whether what lies at the target is what was to be moved there, and not what somebody else has put there. */
export async function isCopied({ folder, target, whole }: MoveRow): Promise<boolean> {
  const from = whole ? folder : target
  const files = (await exists(from)) ? await filesOf(from, 'leave out') : []
  return (await firstLacking(target, folder, files)) === null
}

/**
 * Removes what was copied, unless the copy lacks something of it.
 *
 * @returns the first file that it lacks; nothing was removed then
 */
export async function removeOrigin(target: string, { folder, whole, files }: Origin): Promise<string | null> {
  if (!whole) {
    const lacking = await firstLacking(target, folder, files)
    if (lacking === null) for (const { name } of files) await unlink(join(folder, name)).catch(() => {})
    return lacking
  }
  const going = goingFrom(folder)
  if (await exists(folder)) {
    const lacking = await firstLacking(target, folder, await filesOf(folder, 'leave out'))
    if (lacking !== null) return lacking
    await rm(going, { recursive: true, force: true })
    await rename(folder, going)
  }
  await rm(going, { recursive: true, force: true })
  return null
}

/** Milliseconds by which the time of a copy may be another: some file systems count in twos of seconds. */
const timeSlack = 2001

/** The first file of which the copy is not the same, by size and time; null where there is none. What is gone lacks nothing. */
async function firstLacking(target: string, folder: string, files: readonly FoundFile[]): Promise<string | null> {
  for (const { name } of files) {
    const [own, copy] = await Promise.all([folder, target].map((at) => stat(join(at, name)).catch(() => null)))
    if (own && (own.size !== copy?.size || Math.abs(own.mtimeMs - copy.mtimeMs) > timeSlack)) return name
  }
  return null
}
