import { closeSync, constants, fstatSync, ftruncateSync, openSync, type Stats, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { refuseOutside } from './allowed-folders.ts'
import { badFile } from './errors.ts'
import { codeOf, explained } from './system-errors.ts'

/** Opened so, a named pipe does not wait for somebody to write to it. Windows knows no such flag, and no such pipes. */
const reading = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

/**
 * Opens a regular file for reading, and nothing else: what is no file (a named pipe, a device, a socket) would wait, or
 * never end. The caller closes it.
 *
 * @throws SecateurError where there is no such file, it may not be read, it is no file, or it lies where the host lets none be
 *   read
 */
export function openFile(path: string): number {
  let descriptor: number | undefined
  try {
    descriptor = openSync(path, reading)
    refuseOthers(path, fstatSync(descriptor))
    refuseOutside(path, descriptor)
    return descriptor
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor)
    throw notOpened(path, error)
  }
}

/** As `openFile`, without keeping the thread. */
export async function openFileHandle(path: string): Promise<FileHandle> {
  let handle: FileHandle | undefined
  try {
    handle = await open(path, reading)
    refuseOthers(path, await handle.stat())
    refuseOutside(path, handle.fd)
    return handle
  } catch (error) {
    await handle?.close()
    throw notOpened(path, error)
  }
}

/**
 * Opens a file for writing. The caller closes it.
 *
 * @param flags as those of `fs.open`: `w` empties a file that is there, `wx` refuses it, `a` appends to it
 * @throws what the system says, or SecateurError where the file lies where the host lets none be written
 */
export function openToWrite(path: string, flags: 'w' | 'wx' | 'a'): number {
  // Emptied after it was judged: what lies elsewhere stays as it is.
  const descriptor = openSync(path, flags === 'w' ? constants.O_WRONLY | constants.O_CREAT : flags)
  try {
    refuseOutside(path, descriptor)
    if (flags === 'w') ftruncateSync(descriptor)
    return descriptor
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}

/** Opens a new file for writing, without keeping the thread. @throws as `openToWrite` does, and where there is one */
export async function openNew(path: string): Promise<FileHandle> {
  const handle = await open(path, 'wx')
  try {
    refuseOutside(path, handle.fd)
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Refuses a path where something lies that is no file, as the place for one that is to be written. */
export function refuseSpecial(path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat) refuseOthers(path, stat)
}

function refuseOthers(path: string, stat: Stats): void {
  const kind = kindOf(stat)
  if (kind !== null) throw badFile(path, undefined, kind)
}

function kindOf(stat: Stats): string | null {
  if (stat.isFile()) return null
  if (stat.isDirectory()) return 'is a folder, not a file'
  if (stat.isFIFO()) return 'is a named pipe, not a file: write to a file what comes out of it, and name that'
  if (stat.isSocket()) return 'is a socket, not a file'
  return 'is a device, not a file: write to a file what comes out of it, and name that'
}

/** A socket cannot even be opened. */
function notOpened(path: string, error: unknown): unknown {
  const code = codeOf(error)
  if (code === 'ENXIO' || code === 'ENODEV')
    return badFile(path, undefined, 'is a socket or a device, not a file', error)
  return explained(path, error)
}
