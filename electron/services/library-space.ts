import { dirname } from 'node:path'
import type { Drive, LibraryDrive } from '../contract/index.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'
import { driveOf } from './drives.ts'

/** The drives of checkpoints and of folders of the library, the one with most checkpoints first. Those that are away are left out. */
export async function librarySpace(
  rows: readonly CheckpointRow[],
  folders: readonly string[],
): Promise<LibraryDrive[]> {
  const asked = new Map<string, Promise<Drive | null>>()
  const driveAt = (folder: string) => {
    if (!asked.has(folder)) asked.set(folder, driveOf(folder))
    return asked.get(folder)!
  }
  const drives = new Map<string, LibraryDrive>()
  const enter = async (folder: string): Promise<LibraryDrive | undefined> => {
    const drive = await driveAt(folder)
    if (drive && !drives.has(drive.mount)) drives.set(drive.mount, { ...drive, checkpoints: 0, bytes: 0 })
    return drive ? drives.get(drive.mount) : undefined
  }
  for (const folder of folders) await enter(folder)
  for (const { path, mount, bytes, status } of rows) {
    if (status === 'away' || status === 'missing') continue
    const drive = await enter(mount ?? dirname(path))
    if (!drive) continue
    drive.checkpoints++
    drive.bytes += bytes
  }
  return [...drives.values()].toSorted((one, other) => other.checkpoints - one.checkpoints)
}
