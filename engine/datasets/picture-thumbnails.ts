import { stat } from 'node:fs/promises'
import type { ParsedServiceParams, PictureThumbnail } from '../contract/index.ts'
import { damaged } from '../data/images/decode.ts'
import { packedIn, type PictureTask, placeOf } from '../data/images/fit.ts'
import { parquetPictures } from '../data/images/parquet-images.ts'
import { badFile, failureOf } from '../shared/errors.ts'
import { explained } from '../shared/system-errors.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { ThumbnailCache } from './thumbnail-cache.ts'
import { thumbnail } from './thumbnails.ts'

/** Pictures that are decoded at once, each in a thread of the decoder's own. */
const atOnce = 4
const cache = new ThumbnailCache()

type Asked = ParsedServiceParams<'pictureThumbnails'>
/** A picture that is to be drawn: its place in the answer, and the name that it is cached by. */
type Wanted = Asked['pictures'][number] & { at: number; key: string }

/** Small pictures of those that are named, in their order. One that is missing or damaged has an error in its place. */
export async function pictureThumbnails(
  { pictures, size }: Asked,
  { signal }: Pick<WorkControl, 'signal'>,
): Promise<PictureThumbnail[]> {
  const drawn: PictureThumbnail[] = []
  const wanted: Wanted[] = []
  for (const [at, picture] of pictures.entries()) {
    const key = await keyOf(picture, size)
    const known = cache.get(key)
    if (known) drawn[at] = known
    else wanted.push({ ...picture, at, key })
  }
  const draw = async ({ at, key }: Wanted, task: PictureTask) => {
    drawn[at] = await small(task, size)
    cache.put(key, drawn[at])
  }
  const files = wanted.filter(({ row }) => row === undefined)
  for (let start = 0; start < files.length; start += atOnce) {
    signal.throwIfAborted()
    await Promise.all(files.slice(start, start + atOnce).map((picture) => draw(picture, picture)))
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

/** A picture that is written anew is drawn anew. */
async function keyOf({ file, row }: Asked['pictures'][number], size: number): Promise<string> {
  const { size: bytes, mtimeMs } = await stat(file).catch(() => ({ size: -1, mtimeMs: 0 }))
  return JSON.stringify([file, row, size, bytes, mtimeMs])
}

/** Draws rows of a Parquet file, which is read once. Returns what is wrong with those that were not drawn. */
async function drawRows(
  file: string,
  pictures: readonly Wanted[],
  draw: (picture: Wanted, task: PictureTask) => Promise<void>,
  signal: AbortSignal,
) {
  const rows = [...new Set(pictures.map(({ row }) => row!))].toSorted((one, other) => one - other)
  try {
    for await (const task of parquetPictures(file, rows, signal))
      for (const picture of pictures) if (picture.row === task.row) await draw(picture, task)
    return failureOf(badFile(file, undefined, 'does not have this row'))
  } catch (error) {
    signal.throwIfAborted()
    return failureOf(explained(file, error))
  }
}

async function small(task: PictureTask, size: number): Promise<PictureThumbnail> {
  try {
    const { dataUrl } = await thumbnail(task.file, packedIn(task), size)
    return { dataUrl }
  } catch (error) {
    return { error: failureOf(damaged(task.file, error, placeOf(task))) }
  }
}
