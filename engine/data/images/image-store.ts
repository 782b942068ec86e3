import { createHash } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { cacheFolder } from '../../shared/cache-folder.ts'
import { badFile, SecateurError } from '../../shared/errors.ts'
import { createFolderAtomically, readJson, writeJson } from '../../shared/files.ts'
import { openFile, openToWrite } from '../../shared/open-file.ts'
import { decodeImage } from './decode.ts'
import type { ImageSet } from './image-set.ts'
import { fitted, type Preprocessing } from './preprocessing.ts'

/** Decoded pictures in the size of the model, in a file: memory does not grow with their number. */
export interface ImageStore extends Disposable {
  readonly labels: Int32Array
  readonly files: readonly string[]
  /** What is wrong with pictures that were left out. */
  readonly broken: readonly string[]
  /** Whether they had been decoded before. */
  readonly cached: boolean
  /** Writes picture number `index` into `target`: [height, width, 3], 8 bits. */
  read(index: number, target: Uint8Array): void
}

export interface StoreOptions {
  /** Whether a picture that cannot be read stops the job, or is left out. */
  badRows: 'refuse' | 'skip'
  signal: AbortSignal
  onProgress?: ((done: number, total: number) => void) | undefined
  /** Where decoded pictures are kept; the folder for what can be made again where not given. */
  folder?: string | undefined
}

const sidecar = z.object({
  images: z.int().min(0),
  broken: z.array(z.object({ index: z.int().min(0), message: z.string() })),
})

/**
 * The pictures of a set, decoded and fitted once: another run over the same files finds them. Several are decoded at once, on
 * threads of the decoder's own.
 *
 * @param size height and width that the model takes
 * @throws SecateurError of a picture that cannot be read, unless such pictures are left out; where none is left; where the disk is full
 */
export async function openImageStore(
  set: ImageSet,
  preprocessing: Preprocessing,
  size: readonly [height: number, width: number],
  options: StoreOptions,
): Promise<ImageStore> {
  const bytes = 3 * size[0] * size[1]
  const folder = join(options.folder ?? join(cacheFolder(), 'images'), keyOf(set, preprocessing, size))
  const cached = existsSync(folder)
  if (!cached) {
    mkdirSync(join(folder, '..'), { recursive: true })
    await createFolderAtomically(folder, (temporary) => fill(temporary, set, preprocessing, size, options))
  }
  const { images, broken } = readJson(join(folder, 'set.json'), sidecar, { maxBytes: 2 ** 28 })
  const pixels = join(folder, 'pixels')
  if (images !== set.images.length - broken.length || statSync(pixels).size !== images * bytes) {
    rmSync(folder, { recursive: true, force: true })
    throw badFile(folder, undefined, 'was damaged and is removed: start again, and the pictures are decoded anew')
  }
  if (broken.length > 0 && options.badRows === 'refuse') throw badPicture(broken[0]!.message, broken.length)
  if (images === 0) throw badFile(set.path, undefined, `no picture can be read: ${broken[0]!.message}`)
  const left = new Set(broken.map(({ index }) => index))
  const kept = set.images.filter((_, index) => !left.has(index))
  const descriptor = openFile(pixels)
  return {
    labels: Int32Array.from(kept, ({ label }) => label),
    files: kept.map(({ file }) => file),
    broken: broken.map(({ message }) => message),
    cached,
    read(index, target) {
      if (readSync(descriptor, target, 0, bytes, index * bytes) !== bytes)
        throw badFile(pixels, undefined, `ends before picture ${index}`)
    },
    [Symbol.dispose]: () => closeSync(descriptor),
  }
}

const badPicture = (message: string, count: number) =>
  new SecateurError(
    'bad-file',
    `${message}${count > 1 ? ` (nor can ${count - 1} others)` : ''}. Remove it, or leave such pictures out (--bad-images skip)`,
  )

/** Other files, another preprocessing and another size make other pictures. */
function keyOf(set: ImageSet, preprocessing: Preprocessing, size: readonly [number, number]): string {
  const hash = createHash('sha256').update(JSON.stringify([1, { ...preprocessing, source: null }, size]))
  for (const { file } of set.images) {
    const stat = statSync(file, { throwIfNoEntry: false })
    hash.update(`${file}\n${stat?.size}\n${stat?.mtimeMs}\n`)
  }
  return hash.digest('hex').slice(0, 32)
}

async function fill(
  folder: string,
  set: ImageSet,
  preprocessing: Preprocessing,
  [height, width]: readonly [number, number],
  { signal, onProgress }: StoreOptions,
): Promise<void> {
  const broken: z.infer<typeof sidecar>['broken'] = []
  const descriptor = openToWrite(join(folder, 'pixels'), 'wx')
  try {
    const atOnce = 2 * availableParallelism()
    for (let start = 0; start < set.images.length; start += atOnce) {
      signal.throwIfAborted()
      const part = set.images.slice(start, start + atOnce)
      const found = await Promise.all(part.map(({ file }) => pictureOf(file, preprocessing, height, width)))
      for (const [i, picture] of found.entries()) {
        if (picture instanceof SecateurError) broken.push({ index: start + i, message: picture.message })
        else writeSync(descriptor, picture)
      }
      onProgress?.(start + part.length, set.images.length)
      await setImmediate()
    }
  } finally {
    closeSync(descriptor)
  }
  writeJson(join(folder, 'set.json'), { images: set.images.length - broken.length, broken })
}

async function pictureOf(file: string, preprocessing: Preprocessing, height: number, width: number) {
  try {
    const picture = fitted(await decodeImage(file), preprocessing)
    if (picture.width === width && picture.height === height) return picture.data
    const size = `is ${picture.width} x ${picture.height} pixels, and the model takes ${width} x ${height}`
    return badFile(file, undefined, `${size}: ${preprocessing.source ?? 'its preprocessing'} does not resize`)
  } catch (error) {
    if (error instanceof SecateurError) return error
    throw error
  }
}
