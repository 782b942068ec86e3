import type { Batches, ImageBatch } from '../batch-types.ts'
import { cacheLastTwo } from '../cache-last.ts'
import { Random } from '../../shared/random.ts'
import { type Augmentation, augmented } from './augmentation.ts'
import { type PatchGrid, writePatches } from './patches.ts'
import { normalise, type Preprocessing } from './preprocessing.ts'
import type { ImageSource } from './stored-images.ts'

export interface ImageBatchOptions extends PatchGrid {
  /** Images in every batch. */
  rows: number
  /** Tokens of an image in the model's blocks. */
  length: number
  patchValues: number
  preprocessing: Preprocessing
  augmentation: Augmentation
  seed: number
  /** Whether the first pass is all that is wanted: what completes its last batch has no label. */
  once?: boolean
}

/** The training batches of images: what a batch holds follows from the seed and its number. */
export function imageBatches(store: ImageSource, options: ImageBatchOptions): Batches<ImageBatch> {
  const { rows, length, seed, augmentation } = options
  const count = store.labels.length
  const seeded = new Random(seed).fork('batches')
  const orderOf = cacheLastTwo((epoch) => seeded.fork(`order of pass ${epoch}`).permutation(count))
  return {
    perEpoch: Math.ceil(count / rows),
    tokensPerEpoch: count * length,
    at(index) {
      if (!Number.isSafeInteger(index) || index < 0) throw new RangeError(`no batch has number ${index}`)
      const numbers = Array.from({ length: rows }, (_, row) => index * rows + row)
      const images = numbers.map((number) => orderOf(Math.floor(number / count))[number % count]!)
      // The word "picture" stays: a seed's draws follow from it.
      const randomly = (row: number) => seeded.fork(`picture ${numbers[row]}`)
      const batch = batchOf(store, images, options, (pixels, row) => augmented(pixels, augmentation, randomly(row)))
      const beyond = options.once ? numbers.filter((number) => number >= count).length : 0
      if (beyond > 0) batch.labels.fill(-1, rows - beyond)
      return { ...batch, targets: rows - beyond }
    },
  }
}

/** Some images as a batch. */
export function batchOf(
  store: ImageSource,
  images: readonly number[],
  options: Pick<ImageBatchOptions, keyof PatchGrid | 'length' | 'patchValues' | 'preprocessing'>,
  change: (
    pixels: { data: Uint8Array; width: number; height: number; colours: number },
    row: number,
  ) => {
    data: Uint8Array
  } = (pixels) => pixels,
): ImageBatch {
  const { imageSize, colours, preprocessing, patchSize, patchValues } = options
  const [height, width] = imageSize
  const size = height * width * colours
  const patches = Math.floor(height / patchSize[0]) * Math.floor(width / patchSize[1]) * patchValues
  const batch: ImageBatch = {
    patches: new Float32Array(images.length * patches),
    labels: Int32Array.from(images, (image) => store.labels[image]!),
    rows: images.length,
    length: options.length,
    targets: images.length,
  }
  const pixels = new Uint8Array(size)
  const floats = new Float32Array(size)
  for (const [row, image] of images.entries()) {
    store.read(image, pixels)
    const { data } = change({ data: pixels, width, height, colours }, row)
    normalise(data, colours, preprocessing, floats)
    writePatches(floats, options, batch.patches, row * patches)
  }
  return batch
}
