import sharp from 'sharp'
import type { ParsedServiceParams, SeenImages } from '../contract/index.ts'
import { decodeImage } from '../data/images/decode.ts'
import { fittedTo } from '../data/images/fit.ts'
import { readPreprocessing } from '../data/images/preprocessing.ts'
import type { Pixels } from '../data/images/resample.ts'
import { configOf } from '../models/checkpoint.ts'
import { isOfImages } from '../models/encoder-config.ts'
import { badSetting } from '../shared/errors.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { imagePage } from './image-page.ts'
import { thumbnail } from './thumbnails.ts'

/** Pixels of the longer side of the images that stand beside what a model sees. */
const originalSize = 320

/**
 * Images of a set beside what is left of them once they are resized and cropped as a checkpoint asks. Their colours are
 * those before the normalisation, which undoing it gives back.
 *
 * @throws SecateurError where the checkpoint looks at no images, or its preprocessing cannot be read
 */
export async function seenImages(
  { checkpoint, ...asked }: ParsedServiceParams<'seenImages'>,
  { signal }: Pick<WorkControl, 'signal'>,
): Promise<SeenImages> {
  const config = configOf(checkpoint)
  if (!isOfImages(config)) throw badSetting('checkpoint', `${checkpoint} is a ${config.family}, which sees no images`)
  const [height, width] = config.imageSize
  const options = { preprocessing: readPreprocessing(checkpoint, config), height, width }
  return imagePage(asked, signal, async (task, packed) => {
    const seen = fittedTo(options, await decodeImage(task.file, packed), task)
    return { original: await thumbnail(task.file, packed, originalSize), seen: await shown(seen) }
  })
}

/** Every pixel of an image, as a data address. */
async function shown({ data, width, height, colours }: Pixels) {
  const png = await sharp(data, { raw: { width, height, channels: colours as 3 } })
    .png()
    .toBuffer()
  return { width, height, dataUrl: `data:image/png;base64,${png.toString('base64')}` }
}
