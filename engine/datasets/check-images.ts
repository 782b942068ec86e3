import { type ImageCheck, namedBroken, type ParsedServiceParams } from '../contract/index.ts'
import { duplicatesAcross } from '../data/images/duplicates.ts'
import { type ImageStore, openImageStore } from '../data/images/image-store.ts'
import type { Preprocessing } from '../data/images/preprocessing.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { openParts } from './describe-images.ts'

/** Edge in pixels at which images are held against one another. */
const edge = 32
const small: Preprocessing = {
  resize: { to: 'size', height: edge, width: edge },
  filter: 'bilinear',
  crop: null,
  scale: 1 / 255,
  mean: [0, 0, 0],
  deviation: [1, 1, 1],
  source: null,
}

/**
 * Decodes all images of a set, which says what is wrong with those that are broken and finds those that are in both
 * splits. What it decoded is kept, in a small size, so that the next time it is quick.
 */
export async function checkImages(
  { path }: ParsedServiceParams<'checkImages'>,
  { signal, progress }: WorkControl,
): Promise<ImageCheck> {
  const parts = await openParts(path, signal)
  const total = parts.reduce((sum, { set }) => sum + set.images.length, 0)
  using opened = new DisposableStack()
  const stores: ImageStore[] = []
  let before = 0
  for (const { set } of parts) {
    const start = before
    const options = {
      badRows: 'skip',
      signal,
      onProgress: (done: number) => progress(start + done, total),
    } as const
    stores.push(opened.use(await openImageStore(set, small, [edge, edge], options)))
    before += set.images.length
  }
  return {
    parts: parts.map(({ split, set }, index) => {
      const { broken, notes } = stores[index]!
      return {
        split,
        images: set.images.length,
        broken: broken.length,
        messages: broken.slice(0, namedBroken),
        notes: [...notes],
      }
    }),
    duplicates: stores.length === 2 ? duplicatesAcross(stores[0]!, stores[1]!) : null,
  }
}
