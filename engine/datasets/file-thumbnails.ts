import { stat } from 'node:fs/promises'
import type { FileThumbnail, ParsedServiceParams } from '../contract/index.ts'
import { damaged } from '../data/images/decode.ts'
import { type ImageTask, packedIn, placeOf } from '../data/images/fit.ts'
import { parquetImages } from '../data/images/parquet-images.ts'
import { badFile, failureOf } from '../shared/errors.ts'
import { explained } from '../shared/system-errors.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { ThumbnailCache } from './thumbnail-cache.ts'
import { thumbnail } from './thumbnails.ts'

/** Images that are decoded at once, each in a thread of the decoder's own. */
const atOnce = 4
const cache = new ThumbnailCache()

type Asked = ParsedServiceParams<'fileThumbnails'>
/** An image that is to be drawn: its place in the answer, and the name that it is cached by. */
type Wanted = Asked['images'][number] & { at: number; key: string }

/** Small images of those that are named, in their order. One that is missing or damaged has an error in its place. */
export async function fileThumbnails(
  { images, size }: Asked,
  { signal }: Pick<WorkControl, 'signal'>,
): Promise<FileThumbnail[]> {
  const drawn: FileThumbnail[] = []
  const wanted: Wanted[] = []
  for (const [at, image] of images.entries()) {
    const key = await keyOf(image, size)
    const known = cache.get(key)
    if (known) drawn[at] = known
    else wanted.push({ ...image, at, key })
  }
  const draw = async ({ at, key }: Wanted, task: ImageTask) => {
    drawn[at] = await small(task, size)
    cache.put(key, drawn[at])
  }
  const files = wanted.filter(({ row }) => row === undefined)
  for (let start = 0; start < files.length; start += atOnce) {
    signal.throwIfAborted()
    await Promise.all(files.slice(start, start + atOnce).map((image) => draw(image, image)))
  }
  const inFiles = Map.groupBy(
    wanted.filter(({ row }) => row !== undefined),
    ({ file }) => file,
  )
  for (const [file, rows] of inFiles) {
    const error = await drawRows(file, rows, draw, signal)
    for (const { at } of rows) drawn[at] ??= { error }
  }
  return drawn
}

/** An image that is written anew is drawn anew. */
async function keyOf({ file, row }: Asked['images'][number], size: number): Promise<string> {
  const { size: bytes, mtimeMs } = await stat(file).catch(() => ({ size: -1, mtimeMs: 0 }))
  return JSON.stringify([file, row, size, bytes, mtimeMs])
}

/** Draws rows of a Parquet file, which is read once. Returns what is wrong with those that were not drawn. */
async function drawRows(
  file: string,
  images: readonly Wanted[],
  draw: (image: Wanted, task: ImageTask) => Promise<void>,
  signal: AbortSignal,
) {
  const rows = [...new Set(images.map(({ row }) => row!))].toSorted((one, other) => one - other)
  try {
    for await (const task of parquetImages(file, rows, signal))
      for (const image of images) if (image.row === task.row) await draw(image, task)
    return failureOf(badFile(file, undefined, 'does not have this row'))
  } catch (error) {
    signal.throwIfAborted()
    return failureOf(explained(file, error))
  }
}

async function small(task: ImageTask, size: number): Promise<FileThumbnail> {
  try {
    const { dataUrl } = await thumbnail(task.file, packedIn(task), size)
    return { dataUrl }
  } catch (error) {
    return { error: failureOf(damaged(task.file, error, placeOf(task))) }
  }
}
