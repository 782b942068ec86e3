import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder } from '../../shared/cache-folder.ts'
import { badFile, SecateurError } from '../../shared/errors.ts'
import { createFolderAtomically, readJson, readSmallFile } from '../../shared/files.ts'
import { shortHash } from '../../shared/short-hash.ts'
import { cacheLastTwo } from '../cache-last.ts'
import { decodeSet, type Sidecar, sidecar } from './decode-set.ts'
import { fingerprintBytes } from './fit.ts'
import { type ImageSet, type LabelledImage, nameOf } from './labelled-images.ts'
import type { Preprocessing } from './preprocessing.ts'
import { type ImageSource, readImages, type StoredImages } from './stored-images.ts'

/** Decoded images in the size of the model, in a file: memory does not grow with their number. */
export interface ImageStore extends ImageSource, Disposable {
  readonly images: readonly LabelledImage[]
  /** What is wrong with images that were left out. */
  readonly broken: readonly string[]
  /** What is worth knowing of the images, in a sentence each. */
  readonly notes: readonly string[]
  /** Whether they had been decoded before. */
  readonly cached: boolean
  /** Equal images have equal ones. */
  fingerprint(index: number): string
  /** Where they lie, for another thread that reads them. */
  readonly stored: StoredImages
}

export interface StoreOptions {
  /** Whether an image that cannot be read stops the job, or is left out. */
  badRows: 'refuse' | 'skip'
  /** The flag that leaves such images out, which an error names; where not given, there is none. */
  skippedBy?: '--bad-rows skip' | '--bad-images skip'
  signal: AbortSignal
  onProgress?: ((done: number, total: number) => void) | undefined
  /** Where decoded images are kept; the folder for what can be made again where not given. */
  folder?: string | undefined
}

/**
 * The images of a set, decoded and fitted once: another run over the same files finds them. Threads decode and resize many
 * at once.
 *
 * @param size height and width that the model takes
 * @throws SecateurError of an image that cannot be read, unless such images are left out; where none is left; where the disk is full
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
    try {
      await createFolderAtomically(folder, (temporary) => decodeSet(temporary, set, preprocessing, size, options))
    } catch (error) {
      // Another run over the same images, such as one of the same sweep, may have been done first.
      if (!existsSync(join(folder, 'set.json'))) throw error
    }
  }
  const { images, broken, animated } = readJson(join(folder, 'set.json'), sidecar, { maxBytes: 2 ** 28 })
  const [pixels, fingerprintFile] = [join(folder, 'pixels'), join(folder, 'fingerprints')]
  const isWhole =
    images === set.images.length - broken.length &&
    statSync(pixels, { throwIfNoEntry: false })?.size === images * bytes &&
    statSync(fingerprintFile, { throwIfNoEntry: false })?.size === images * fingerprintBytes
  if (!isWhole) {
    rmSync(folder, { recursive: true, force: true })
    throw badFile(folder, undefined, 'was damaged and is removed: start again, and the images are decoded anew')
  }
  if (broken.length > 0 && options.badRows === 'refuse') throw badImage(broken[0]!.message, broken.length, options)
  if (images === 0) throw badFile(set.path, undefined, `no image can be read: ${broken[0]!.message}`)
  const left = new Set(broken.map(({ index }) => index))
  const kept = set.images.filter((_, index) => !left.has(index))
  const fingerprints = readSmallFile(fingerprintFile, images * fingerprintBytes)
  const labels = Int32Array.from(kept, ({ label }) => label)
  const stored = { file: pixels, bytes, places: Int32Array.from(kept.keys()), labels }
  return {
    ...readImages(stored),
    stored,
    images: kept,
    broken: broken.map(({ message }) => message),
    notes: notesOf(set, animated),
    cached,
    fingerprint: (index) => fingerprints.toString('latin1', index * fingerprintBytes, (index + 1) * fingerprintBytes),
  }
}

/** Some images of a store, by their numbers there. The store stays the owner of its file. */
export function partOf(store: ImageStore, numbers: ArrayLike<number>): ImageStore {
  const labels = Int32Array.from(numbers, (number) => store.labels[number]!)
  const places = Int32Array.from(numbers, (number) => store.stored.places[number]!)
  return {
    labels,
    stored: { ...store.stored, places, labels },
    images: Array.from(numbers, (number) => store.images[number]!),
    broken: [],
    notes: [],
    cached: store.cached,
    fingerprint: (index) => store.fingerprint(numbers[index]!),
    read: (index, target) => store.read(numbers[index]!, target),
    [Symbol.dispose]() {},
  }
}

const badImage = (message: string, count: number, { skippedBy }: StoreOptions) =>
  new SecateurError(
    'bad-file',
    `${message}${count > 1 ? ` (nor can ${count - 1} others)` : ''}. Remove it${skippedBy ? `, or leave such images out (${skippedBy})` : ''}`,
  )

function notesOf({ images }: ImageSet, { count, first }: Sidecar['animated']): string[] {
  if (count === 0) return []
  const others = count > 1 ? ` (and ${count - 1} more)` : ''
  return [`${nameOf(images[first]!)}${others} holds several images, of which the first is taken`]
}

/** Other files, another preprocessing and another size make other images. */
function keyOf(set: ImageSet, preprocessing: Preprocessing, size: readonly [number, number]): string {
  const hash = createHash('sha256').update(JSON.stringify([2, { ...preprocessing, source: null }, size]))
  const factsOf = cacheLastTwo((file: string) => {
    const stat = statSync(file, { throwIfNoEntry: false })
    return `${file}\n${stat?.size}\n${stat?.mtimeMs}\n`
  })
  for (const { file, row } of set.images) hash.update(row === undefined ? factsOf(file) : `${factsOf(file)}${row}\n`)
  return shortHash(hash.digest('hex'))
}
