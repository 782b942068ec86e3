import { Random } from '../../shared/random.ts'
import type { ImageBatch } from '../batch-types.ts'
import { checkShares, rowCounts } from '../calibration.ts'
import { batchOf, type ImageBatchOptions } from './image-batches.ts'
import type { ImageStore } from './image-store.ts'

/**
 * Images that criteria look at before groups are chosen: drawn by the seed from each store in its share, as they are, in
 * batches of `rows`. None is drawn twice unless there are too few.
 *
 * @param shares a number for each store; equal parts where there are none
 */
export function calibrationImages(
  stores: readonly ImageStore[],
  shares: readonly number[],
  samples: number,
  options: Omit<ImageBatchOptions, 'augmentation'>,
): ImageBatch[] {
  checkShares(shares, stores.length)
  const random = new Random(options.seed).fork('calibration')
  const counts = rowCounts(samples, shares.length === 0 ? stores.map(() => 1) : shares)
  const drawn = stores.flatMap((store, index) => {
    // The word "pictures" stays: a seed's draws follow from it.
    const order = random.fork(`pictures ${index}`).permutation(store.labels.length)
    return Array.from({ length: counts[index]! }, (_, i) => ({ store, image: order[i % order.length]! }))
  })
  const mixed = Array.from(random.fork('order').permutation(drawn.length), (at) => drawn[at]!)
  return Array.from({ length: Math.ceil(mixed.length / options.rows) }, (_, index) => {
    const part = mixed.slice(index * options.rows, (index + 1) * options.rows)
    return joined(part.map(({ store, image }) => batchOf(store, [image], options)))
  })
}

/** Batches as one. */
function joined(batches: readonly ImageBatch[]): ImageBatch {
  const [first] = batches
  const size = first!.patches.length
  const patches = new Float32Array(size * batches.length)
  for (const [i, batch] of batches.entries()) patches.set(batch.patches, i * size)
  return {
    patches,
    labels: Int32Array.from(batches, ({ labels }) => labels[0]!),
    rows: batches.length,
    length: first!.length,
    targets: batches.length,
  }
}
