import { cacheLastTwo } from '../../engine/data/cache-last.ts'
import { augmented } from '../../engine/data/images/augmentation.ts'
import { batchOf, type ImageBatchOptions } from '../../engine/data/images/image-batches.ts'
import { crop } from '../../engine/data/images/resample.ts'
import type { ImageSource } from '../../engine/data/images/stored-images.ts'
import { Random } from '../../engine/shared/random.ts'

export interface ShiftedBatchOptions extends Omit<ImageBatchOptions, 'augmentation'> {
  /** Pixels by which an image is moved at most; what comes in at its edge is black. */
  shift: number
}

/** The batch of a step, which counts from 1: images moved a little and half of them mirrored, as small ones usually are. */
export function shiftedBatches(store: ImageSource, options: ShiftedBatchOptions) {
  const { rows, shift, seed } = options
  const count = store.labels.length
  const seeded = new Random(seed).fork('batches')
  const orderOf = cacheLastTwo((epoch) => seeded.fork(`order of pass ${epoch}`).permutation(count))
  return (step: number) => {
    const numbers = Array.from({ length: rows }, (_, row) => (step - 1) * rows + row)
    const images = numbers.map((number) => orderOf(Math.floor(number / count))[number % count]!)
    return batchOf(store, images, options, (pixels, row) => {
      // The word "picture" stays: a seed's draws follow from it.
      const random = seeded.fork(`picture ${numbers[row]}`)
      const by = () => random.integer(2 * shift + 1) - shift
      return augmented(crop(pixels, by(), by(), pixels.width, pixels.height), 'flip', random)
    })
  }
}
