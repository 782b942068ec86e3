import { fstatSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { isAbsolute, relative } from 'node:path'
import { badFile } from './errors.ts'

/** Whether a real path is one of the folders or below it. */
export function isWithin(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => {
    const way = relative(folder, path)
    return way === '' || (way !== '..' && !/^\.\.[\\/]/.test(way) && !isAbsolute(way))
  })
}

const variable = 'SECATEUR_ALLOWED_FOLDERS'

/** From here on this process, and those that it starts, open files in these folders alone, which are real paths. */
export function allowOnly(folders: readonly string[]): void {
  process.env[variable] = JSON.stringify(folders)
}

/** Lets files be opened wherever they lie, as when `allowOnly` was never called. */
export function allowAll(): void {
  delete process.env[variable]
}

/** Whether a real path lies where files may be opened. */
export function mayRead(real: string): boolean {
  const folders = process.env[variable]
  return folders === undefined || isWithin(real, JSON.parse(folders) as string[])
}

/**
 * Refuses an open file that lies outside the folders of `allowOnly`. Its path was judged before, but a link may have been put
 * in its way since: what counts is where the file lies that was opened.
 *
 * @throws SecateurError which names the path and where it led
 */
export function refuseOutside(path: string, descriptor: number): void {
  if (process.env[variable] === undefined) return
  const real = placeOf(path, descriptor)
  if (real !== null && mayRead(real)) return
  throw badFile(path, undefined, `leads to ${real ?? 'another file by now'}, outside the folders that may be used here`)
}

/** The real path of an open file; null where its path has come to mean another file since it was opened. */
function placeOf(path: string, descriptor: number): string | null {
  if (process.platform === 'linux') return readlinkSync(`/proc/self/fd/${descriptor}`)
  const real = realpathSync(path)
  const [opened, named] = [fstatSync(descriptor), statSync(real)]
  return opened.dev === named.dev && opened.ino === named.ino ? real : null
}
