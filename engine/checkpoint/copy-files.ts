import { createHash, type Hash } from 'node:crypto'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncFolder, refuseExistingFile } from '../shared/files.ts'
import { badFile } from '../shared/errors.ts'
import { openFileHandle, openNew } from '../shared/open-file.ts'
import { sum } from '../shared/sum.ts'
import { explained } from '../shared/system-errors.ts'
import type { WorkControl } from '../shared/work-control.ts'

export interface Copy {
  from: string
  /** A new folder. */
  to: string
  /** Where the copy grows: beside `to`. What is there is removed first. */
  temporary: string
  /** Files within `from`. */
  files: readonly { name: string; bytes: number }[]
}

const chunkBytes = 4 * 2 ** 20

/**
 * Copies files to a new folder. All of them are synced, read again and compared with what was read of the originals before
 * the folder gets its name: where that is there, the copy is whole. A copy that fails or is cancelled leaves nothing.
 *
 * @returns SHA-256 over names, sizes and bytes of all files, and their bytes
 * @throws SecateurError where a file cannot be copied, changed meanwhile, or reads otherwise than it was written
 */
export async function copyFiles(
  { from, to, temporary, files }: Copy,
  { signal, progress }: WorkControl,
): Promise<{ hash: string; bytes: number }> {
  const bytes = sum(files.map((file) => file.bytes))
  let done = 0
  const step = (more: number) => progress((done += more), 2 * bytes)
  try {
    refuseExistingFile(to)
    await rm(temporary, { recursive: true, force: true })
    await mkdir(temporary, { recursive: true })
    const folders = new Set([temporary])
    const written = createHash('sha256')
    for (const { name, bytes: expected } of files) {
      const target = join(temporary, name)
      await mkdir(dirname(target), { recursive: true })
      for (let folder = dirname(target); !folders.has(folder); folder = dirname(folder)) folders.add(folder)
      written.update(`${name}\n${expected}\n`)
      await copyFile(join(from, name), target, { expected, hash: written, signal, step })
    }
    const hash = written.digest('hex')
    const readAgain = createHash('sha256')
    for (const { name, bytes: expected } of files) {
      readAgain.update(`${name}\n${expected}\n`)
      await hashFile(join(temporary, name), { hash: readAgain, signal, step })
    }
    if (readAgain.digest('hex') !== hash)
      throw badFile(to, undefined, 'does not read as it was written: the drive may be failing. Nothing was changed')
    signal.throwIfAborted()
    for (const folder of folders) syncFolder(folder)
    refuseExistingFile(to)
    await rename(temporary, to)
    syncFolder(dirname(to))
    return { hash, bytes }
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw explained(to, error)
  }
}

interface Reading {
  hash: Hash
  signal: AbortSignal
  step: (bytes: number) => void
}

/** Copies a file with its times, while it is hashed. */
async function copyFile(
  from: string,
  to: string,
  { expected, hash, signal, step }: Reading & { expected: number },
): Promise<void> {
  const before = await stat(from)
  await using source = await openFileHandle(from)
  await using target = await openNew(to)
  let read = 0
  for await (const chunk of source.createReadStream({ highWaterMark: chunkBytes, signal, autoClose: false })) {
    const part = chunk as Buffer
    hash.update(part)
    await target.writeFile(part)
    read += part.length
    step(part.length)
  }
  const after = await source.stat()
  if (read !== expected || after.size !== read || after.mtimeMs !== before.mtimeMs)
    throw badFile(from, undefined, 'changed while it was copied; try again')
  await target.utimes(before.atime, before.mtime)
  await target.sync()
}

async function hashFile(path: string, { hash, signal, step }: Reading): Promise<void> {
  await using source = await open(path, 'r')
  for await (const chunk of source.createReadStream({ highWaterMark: chunkBytes, signal, autoClose: false })) {
    hash.update(chunk as Buffer)
    step((chunk as Buffer).length)
  }
}
