import type { ImageStore } from './image-store.ts'
import { nameOf } from './labelled-images.ts'

/** A sentence that names images which are both trained and scored on; null where there are none. */
export function duplicatesAcross(train: ImageStore, test: ImageStore): string | null {
  const trained = new Map<string, number>()
  for (const image of train.labels.keys()) trained.set(train.fingerprint(image), image)
  const both = [...test.labels.keys()].filter((image) => trained.has(test.fingerprint(image)))
  const [first] = both
  if (first === undefined) return null
  const same = nameOf(train.images[trained.get(test.fingerprint(first))!]!)
  const own = nameOf(test.images[first]!)
  const example = same === own ? same : `${own} is ${same}`
  return (
    `${both.length} of ${test.labels.length} images for scores are also trained on (${example}): scores on them say ` +
    'nothing of images that the model has not seen'
  )
}
