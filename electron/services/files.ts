import { createWriteStream } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { makeFolderBeside } from '../../engine/shared/files.ts'
import { openFileHandle } from '../../engine/shared/open-file.ts'
import type { WorkControl } from '../../engine/shared/work-control.ts'
import { ProblemError } from '../problems.ts'

export interface FoundFile {
  /** Relative to the folder, with the system's separator. */
  name: string
  bytes: number
}

/**
 * Regular files of a folder and its subfolders. Links to files count as files where they are followed, as in the cache of
 * the Hugging Face hub; otherwise they are left out, so that nothing outside is read.
 */
export async function filesOf(folder: string, links: 'follow' | 'leave out'): Promise<FoundFile[]> {
  const found: FoundFile[] = []
  const walk = async (relative: string, depth: number): Promise<void> => {
    if (depth > 16)
      throw new ProblemError('bad-file', `${join(folder, relative)} is nested too deeply`, { file: folder })
    for (const entry of await readdir(join(folder, relative), { withFileTypes: true })) {
      const name = join(relative, entry.name)
      if (entry.isDirectory()) await walk(name, depth + 1)
      else if (entry.isFile() || (entry.isSymbolicLink() && links === 'follow')) {
        const file = await stat(join(folder, name)).catch(() => null)
        if (file?.isFile()) found.push({ name, bytes: file.size })
      }
    }
  }
  await walk('', 0)
  return found
}

export const exists = async (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  )

/** The path, or the path with the first number that makes it new; `extension` comes after the number. */
export async function freeName(path: string, extension = ''): Promise<string> {
  let free = path
  for (let number = 2; await exists(free + extension); number++) free = `${path}-${number}`
  return free + extension
}

/** Fills a folder beside its final name and renames it; nothing is left behind where that fails or is cancelled. */
export async function createFolder(to: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  const final = resolve(to)
  if (await exists(final))
    throw new ProblemError('conflict', `${final} exists already: choose another name.`, { file: final })
  await mkdir(dirname(final), { recursive: true })
  const temporary = makeFolderBeside(final)
  try {
    await fill(temporary)
    await rename(temporary, final)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw error
  }
}

/**
 * Copies the regular files of a folder to a new one.
 *
 * @param only the files that are copied, where it is not all
 */
export async function copyFolder(
  from: string,
  to: string,
  { signal, progress }: WorkControl,
  only?: readonly FoundFile[],
): Promise<void> {
  if (`${resolve(to)}${sep}`.startsWith(`${resolve(from)}${sep}`))
    throw new ProblemError('bad-setting', `${to} is within ${from}: choose a folder outside it.`, { field: 'to' })
  const files = only ?? (await filesOf(from, 'follow'))
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  progress(done, total)
  await createFolder(to, async (temporary) => {
    for (const { name } of files) {
      const target = join(temporary, name)
      await mkdir(dirname(target), { recursive: true })
      const count = new Transform({
        transform(chunk: Buffer, _encoding, next) {
          done += chunk.length
          progress(done, total)
          next(null, chunk)
        },
      })
      await pipeline(
        (await openFileHandle(join(from, name))).createReadStream({ highWaterMark: 1 << 20 }),
        count,
        createWriteStream(target, { flags: 'wx' }),
        { signal },
      )
      await syncFile(target)
    }
  })
}

export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
