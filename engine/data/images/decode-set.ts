import { closeSync, writeSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { writeFileAtomically, writeJson } from '../../shared/files.ts'
import { openToWrite } from '../../shared/open-file.ts'
import { ThreadPool } from '../../shared/thread-pool.ts'
import { type FitOptions, type FittedImage, fittedImage, type ImageTask } from './fit.ts'
import type { ImageSet, LabelledImage } from './labelled-images.ts'
import { parquetImages } from './parquet-images.ts'
import type { Preprocessing } from './preprocessing.ts'

export const sidecar = z.object({
  images: z.int().min(0),
  broken: z.array(z.object({ index: z.int().min(0), message: z.string() })),
  /** Images whose files hold several, and the first of them. */
  animated: z.object({ count: z.int().min(0), first: z.int().min(0) }),
})
export type Sidecar = z.infer<typeof sidecar>

export interface DecodeOptions {
  signal: AbortSignal
  onProgress?: ((done: number, total: number) => void) | undefined
}

/** Images that are worth a thread of their own. */
const fewImages = 200
/** More threads would hold more memory than they save time: the images of a set are decoded once. */
const mostThreads = 8

/**
 * Decodes the images of a set into a folder: `pixels` and `fingerprints`, one image after the other without those that are
 * broken, and what there is to say of them in set.json.
 */
export async function decodeSet(
  folder: string,
  set: ImageSet,
  preprocessing: Preprocessing,
  [height, width]: readonly [number, number],
  { signal, onProgress }: DecodeOptions,
): Promise<void> {
  const broken: Sidecar['broken'] = []
  const animated: Sidecar['animated'] = { count: 0, first: 0 }
  const options: FitOptions = { preprocessing, height, width }
  const total = set.images.length
  const threads = Math.min(mostThreads, availableParallelism(), Math.floor(total / fewImages))
  await using pool = new ThreadPool<ImageTask, FittedImage>(
    new URL('./decode-worker.ts', import.meta.url),
    threads,
    options,
  )
  const read = (task: ImageTask) => (threads === 0 ? fittedImage(task, options) : pool.run(task))
  const descriptor = openToWrite(join(folder, 'pixels'), 'wx')
  const fingerprints: Uint8Array[] = []
  try {
    // As many are under way as keep the threads busy, and no more: memory does not grow with the number of images.
    const atOnce = 4 * availableParallelism()
    const underWay: Promise<FittedImage>[] = []
    let done = 0
    const take = async () => {
      const image = await underWay.shift()!
      if ('failure' in image) throw new Error(image.failure)
      if ('problem' in image) broken.push({ index: done, message: image.problem })
      else {
        writeSync(descriptor, image.data)
        fingerprints.push(image.fingerprint)
        if (image.frames > 1 && animated.count++ === 0) animated.first = done
      }
      if (++done % atOnce !== 0 && done !== total) return
      onProgress?.(done, total)
      await setImmediate()
      signal.throwIfAborted()
    }
    for await (const task of tasksOf(set.images, signal)) {
      signal.throwIfAborted()
      const image = read(task)
      // What fails while others are waited for is told of in its turn.
      image.catch(() => undefined)
      underWay.push(image)
      if (underWay.length >= atOnce) await take()
    }
    while (underWay.length > 0) await take()
  } finally {
    closeSync(descriptor)
  }
  writeFileAtomically(join(folder, 'fingerprints'), Buffer.concat(fingerprints))
  writeJson(join(folder, 'set.json'), { images: total - broken.length, broken, animated } satisfies Sidecar)
}

/** Images in their order, with their bytes where they are packed in a file. */
export async function* tasksOf(images: readonly LabelledImage[], signal: AbortSignal): AsyncGenerator<ImageTask> {
  for (let at = 0; at < images.length;) {
    const { file, row } = images[at]!
    if (row === undefined) {
      yield { file }
      at++
      continue
    }
    // As many as follow one another in the file are read in one go.
    const rows = [row]
    while (images[at + rows.length]?.file === file && images[at + rows.length]!.row! > rows.at(-1)!)
      rows.push(images[at + rows.length]!.row!)
    yield* parquetImages(file, rows, signal)
    at += rows.length
  }
}
