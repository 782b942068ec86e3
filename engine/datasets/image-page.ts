import { relative } from 'node:path'
import type { ParsedServiceParams } from '../contract/index.ts'
import { damaged, type PackedImage } from '../data/images/decode.ts'
import { tasksOf } from '../data/images/decode-set.ts'
import { type ImageTask, packedIn, placeOf } from '../data/images/fit.ts'
import { openImageSet } from '../data/images/image-set.ts'
import type { LabelledImage } from '../data/images/labelled-images.ts'
import { type Failure, failureOf } from '../shared/errors.ts'
import { openParts } from './describe-images.ts'

type Asked = Pick<ParsedServiceParams<'imageThumbnails'>, 'path' | 'split' | 'className' | 'offset' | 'limit'>
type Labelled = LabelledImage & { className: string }
/** What images are called within their set, and what is drawn of them, or what is wrong with them. */
type Drawn<Drawing> = { name: string; className: string } & (Drawing | { error: Failure })

/** Images that are decoded at once, each in a thread of the decoder's own. */
const atOnce = 4

/** Draws a page of a set's images: of a split and a class, where these are asked for. */
export async function imagePage<Drawing>(
  { path, split, className, offset, limit }: Asked,
  signal: AbortSignal,
  draw: (task: ImageTask, packed: PackedImage | undefined) => Promise<Drawing>,
): Promise<{ images: Drawn<Drawing>[]; total: number }> {
  const all = await labelledIn(path, split, signal)
  const wanted = className === undefined ? all : all.filter((image) => image.className === className)
  const page = wanted.slice(offset, offset + limit)
  const images: Drawn<Drawing>[] = []
  let underWay: Promise<Drawn<Drawing>>[] = []
  let at = 0
  for await (const task of tasksOf(page, signal)) {
    underWay.push(drawn(page[at++]!, task))
    if (underWay.length < atOnce) continue
    images.push(...(await Promise.all(underWay)))
    underWay = []
    signal.throwIfAborted()
  }
  images.push(...(await Promise.all(underWay)))
  return { images, total: wanted.length }

  async function drawn({ className: of, file, row }: Labelled, task: ImageTask): Promise<Drawn<Drawing>> {
    const called = { name: nameIn(path, file, row), className: of }
    try {
      return { ...called, ...(await draw(task, packedIn(task))) }
    } catch (error) {
      return { ...called, error: failureOf(damaged(file, error, placeOf({ row }))) }
    }
  }
}

async function labelledIn(path: string, split: Asked['split'], signal: AbortSignal): Promise<Labelled[]> {
  const parts = split ? [{ set: await openImageSet(path, split, signal) }] : await openParts(path, signal)
  return parts.flatMap(({ set }) => set.images.map((image) => ({ ...image, className: set.classes[image.label]! })))
}

/** "train/cat/1.png"; "row 12", of a set of several files with the file. */
function nameIn(path: string, file: string, row: number | undefined): string {
  const inner = relative(path, file)
  // A list names files beside it.
  const name = inner.startsWith('..') ? inner.slice(3) : inner
  if (row === undefined) return name
  return name === '' ? `row ${row}` : `${name}, row ${row}`
}
