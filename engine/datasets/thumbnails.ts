import type { ParsedServiceParams, Thumbnails } from '../contract/index.ts'
import { openImage, type PackedImage } from '../data/images/decode.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { imagePage } from './image-page.ts'

/** Small images of a set, upright, as data addresses. One that is damaged has an error in its place. */
export const imageThumbnails = (
  { size, ...asked }: ParsedServiceParams<'imageThumbnails'>,
  { signal }: Pick<WorkControl, 'signal'>,
): Promise<Thumbnails> => imagePage(asked, signal, ({ file }, packed) => thumbnail(file, packed, size))

/** An image that is at most so large, with the size of the image itself. */
export async function thumbnail(file: string, packed: PackedImage | undefined, size: number) {
  const input = await openImage(file, {}, packed)
  const { autoOrient } = await input.metadata()
  // One that is as small already loses nothing.
  const isWhole = autoOrient.width <= size && autoOrient.height <= size
  const small = await input
    .autoOrient()
    .resize(size, size, { fit: 'inside', withoutEnlargement: true })
    .webp(isWhole ? { lossless: true } : { quality: 75 })
    .toBuffer()
  const dataUrl = `data:image/webp;base64,${small.toString('base64')}`
  return { width: autoOrient.width, height: autoOrient.height, dataUrl }
}
