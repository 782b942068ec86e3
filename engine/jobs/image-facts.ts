import type { ImageFacts } from '../contract/index.ts'
import { type Preprocessing, readPreprocessing } from '../data/images/preprocessing.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { isOfImages } from '../models/encoder-config.ts'
import { SecateurError } from '../shared/errors.ts'

/** What a model of images looks at, and what its preprocessing says; null of a language model. */
export function imageFacts({ folder, config }: Pick<Checkpoint, 'folder' | 'config'>): {
  images: ImageFacts | null
  warnings: string[]
} {
  if (!isOfImages(config)) return { images: null, warnings: [] }
  const { imageSize, patchSize, colours, labels } = config
  const facts = { size: size(imageSize), patch: size(patchSize), colours, classes: [...labels] }
  try {
    const preprocessing = readPreprocessing(folder, config)
    return { images: { ...facts, preprocessing: told(preprocessing) }, warnings: [] }
  } catch (error) {
    if (!(error instanceof SecateurError)) throw error
    return { images: { ...facts, preprocessing: null }, warnings: [error.message] }
  }
}

const size = ([height, width]: readonly [number, number]) => ({ width, height })

function told({
  resize,
  filter,
  crop,
  mean,
  deviation,
  source,
}: Preprocessing): NonNullable<ImageFacts['preprocessing']> {
  const resizing =
    resize === null
      ? null
      : resize.to === 'size'
        ? `to ${resize.width} x ${resize.height}`
        : `until the shorter edge is ${resize.length}`
  return {
    resize: resizing,
    filter,
    crop: crop && { width: crop.width, height: crop.height },
    mean: [...mean],
    deviation: [...deviation],
    source,
  }
}
