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
import { cacheLastTwo } from '../cache-last.ts'
import { ThreadPool } from '../../shared/thread-pool.ts'
import { type FitOptions, type FittedPicture, fittedPicture, type PictureTask } from './fit.ts'
import { type ImageSet, nameOf } from './labelled-images.ts'
import type { Preprocessing } from './preprocessing.ts'

/** Decoded pictures in the size of the model, in a file: memory does not grow with their number. */
export interface ImageStore extends Disposable {
  readonly labels: Int32Array
  /** Names of the pictures: their files, with the row in it where it holds many. */
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
 * The pictures of a set, decoded and fitted once: another run over the same files finds them. Threads decode and resize many
 * at once.
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
    files: kept.map(nameOf),
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
  const factsOf = cacheLastTwo((file: string) => {
    const stat = statSync(file, { throwIfNoEntry: false })
    return `${file}\n${stat?.size}\n${stat?.mtimeMs}\n`
  })
  for (const { file, row } of set.images) hash.update(row === undefined ? factsOf(file) : `${factsOf(file)}${row}\n`)
  return hash.digest('hex').slice(0, 32)
}

/** Pictures that are worth a thread of their own. */
const fewPictures = 200

async function fill(
  folder: string,
  set: ImageSet,
  preprocessing: Preprocessing,
  [height, width]: readonly [number, number],
  { signal, onProgress }: StoreOptions,
): Promise<void> {
  const broken: z.infer<typeof sidecar>['broken'] = []
  const options: FitOptions = { preprocessing, height, width }
  const total = set.images.length
  const threads = Math.min(availableParallelism(), Math.floor(total / fewPictures))
  await using pool = new ThreadPool<PictureTask, FittedPicture>(
    new URL('./decode-worker.ts', import.meta.url),
    threads,
    options,
  )
  const read = (task: PictureTask) => (threads === 0 ? fittedPicture(task, options) : pool.run(task))
  const descriptor = openToWrite(join(folder, 'pixels'), 'wx')
  try {
    // As many are under way as keep the threads busy, and no more: memory does not grow with the number of pictures.
    const atOnce = 4 * availableParallelism()
    const underWay: Promise<FittedPicture>[] = []
    let done = 0
    const take = async () => {
      const picture = await underWay.shift()!
      if ('failure' in picture) throw new Error(picture.failure)
      if ('problem' in picture) broken.push({ index: done, message: picture.problem })
      else writeSync(descriptor, picture.data)
      if (++done % atOnce !== 0 && done !== total) return
      onProgress?.(done, total)
      await setImmediate()
      signal.throwIfAborted()
    }
    for await (const task of tasksOf(set)) {
      signal.throwIfAborted()
      const picture = read(task)
      // What fails while others are waited for is told of in its turn.
      picture.catch(() => undefined)
      underWay.push(picture)
      if (underWay.length >= atOnce) await take()
    }
    while (underWay.length > 0) await take()
    if (done !== total) throw badFile(set.path, undefined, `changed while it was read: ${done} pictures of ${total}`)
  } finally {
    closeSync(descriptor)
  }
  writeJson(join(folder, 'set.json'), { images: total - broken.length, broken })
}

/** The pictures of a set in their order. */
async function* tasksOf({ images, packed }: ImageSet): AsyncGenerator<PictureTask> {
  if (!packed) {
    yield* images
    return
  }
  let index = 0
  for await (const bytes of packed()) {
    const image = images[index++]
    if (!image) return
    yield { file: image.file, row: image.row, bytes }
  }
}
