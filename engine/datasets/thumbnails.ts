import { join } from 'node:path'
import type { Thumbnails, ParsedServiceParams } from '../contract/index.ts'
import { damaged, openImage } from '../data/images/decode.ts'
import { type ImageFile, listImages } from '../data/image-files.ts'
import { failureOf } from '../shared/errors.ts'
import { explained } from '../shared/system-errors.ts'
import type { WorkControl } from '../shared/work-control.ts'

const atOnce = 4

/** Small pictures of a folder's images, upright, as data addresses. One that is damaged has an error in its place. */
export async function imageThumbnails(
  { path, offset, limit, size }: ParsedServiceParams<'imageThumbnails'>,
  { signal }: WorkControl,
): Promise<Thumbnails> {
  try {
    const all = await listImages(path, signal)
    const page = all.slice(offset, offset + limit)
    const images: Thumbnails['images'] = []
    for (let start = 0; start < page.length; start += atOnce) {
      signal.throwIfAborted()
      images.push(
        ...(await Promise.all(page.slice(start, start + atOnce).map((image) => thumbnail(path, image, size)))),
      )
    }
    return { images, total: all.length }
  } catch (error) {
    throw explained(path, error)
  }
}

async function thumbnail(folder: string, image: ImageFile, size: number): Promise<Thumbnails['images'][number]> {
  const file = join(folder, image.name)
  try {
    const input = await openImage(file)
    const { autoOrient } = await input.metadata()
    const small = await input
      .autoOrient()
      .resize(size, size, { fit: 'inside', withoutEnlargement: true })
      .webp({ quality: 75 })
      .toBuffer()
    const dataUrl = `data:image/webp;base64,${small.toString('base64')}`
    return { ...image, width: autoOrient.width, height: autoOrient.height, dataUrl }
  } catch (error) {
    return { ...image, error: failureOf(damaged(file, error)) }
  }
}
