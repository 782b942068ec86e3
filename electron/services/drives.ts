import { stat, statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sizeText } from '../../engine/shared/size-text.ts'
import { sum } from '../../engine/shared/sum.ts'
import type { Drive } from '../contract/index.ts'
import { ProblemError } from '../problems.ts'

/** Milliseconds after which a drive that does not answer counts as one that is not here: of a network it may never. */
const patience = 3000

const inTime = async <T>(work: Promise<T>): Promise<T | null> => {
  const waiting = new AbortController()
  try {
    return await Promise.race([
      work.catch(() => null),
      sleep(patience, null, { signal: waiting.signal, ref: false }).catch(() => null),
    ])
  } finally {
    waiting.abort()
  }
}

const deviceOf = async (path: string): Promise<number | null> => (await inTime(stat(path)))?.dev ?? null

/** Whether something is there now, on a drive that answers. */
export const isThere = async (path: string): Promise<boolean> => (await deviceOf(path)) !== null

/** Where the drive is mounted that a path lies on, or would lie on once it is made. */
export async function mountOf(path: string): Promise<string> {
  let at = resolve(path)
  let device = await deviceOf(at)
  for (let parent = dirname(at); parent !== at; parent = dirname(at)) {
    const above = await deviceOf(parent)
    if (device !== null && above !== device) break
    device = above
    at = parent
  }
  return at
}

/** Whether a drive is mounted there now: the folder in its place lies on the one above it. */
export async function isMounted(mount: string): Promise<boolean> {
  const [device, above] = await Promise.all([deviceOf(mount), deviceOf(dirname(mount))])
  return device !== null && (dirname(mount) === mount || device !== above)
}

/** The drive that a path lies on, or would lie on; null where it does not answer. */
export async function driveOf(path: string): Promise<Drive | null> {
  const mount = await mountOf(path)
  const space = await inTime(statfs(mount))
  return space && { mount, freeBytes: space.bavail * space.bsize, totalBytes: space.blocks * space.bsize }
}

/**
 * Whether a folder is there, on the drive that it was on.
 *
 * @param mount where that was mounted; null where it is not known
 */
export const isHere = async (path: string, mount: string | null): Promise<boolean> =>
  (mount === null || (await isMounted(mount))) && (await isThere(path))

/** Left free on a drive, for what a file system writes of its own. */
const reserveBytes = 64e6

/**
 * Refuses to write files where they do not fit.
 *
 * @throws ProblemError with the sizes, and the drive
 */
export async function requireRoom(path: string, files: readonly { bytes: number }[]): Promise<void> {
  const needed = sum(files.map(({ bytes }) => bytes))
  const drive = needed > 0 ? await driveOf(path) : null
  if (!drive || needed + reserveBytes <= drive.freeBytes) return
  throw new ProblemError(
    'does-not-fit',
    `${sizeText(needed)} are to be written, and ${sizeText(drive.freeBytes)} are free on ${drive.mount}: choose another drive, or make room on it.`,
    { field: 'to' },
  )
}
