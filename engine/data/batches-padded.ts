import type { Random } from '../shared/random.ts'
import { writePiece } from './batches-documents.ts'
import type { BatchOptions, RowSource } from './batch-types.ts'
import type { EncodedExample } from './example.ts'

/** Examples that are sorted by length together, in batches: more save padding, fewer mix better. */
const batchesSorted = 32

/**
 * One example a row. In every pass the examples are shuffled, sorted by length within stretches of some batches, and the
 * batches are shuffled. Where the batches of the passes before end within this pass, its first rows stay unsorted: they
 * complete another pass's batch.
 */
export function padExamples(examples: readonly EncodedExample[], { rows, length }: BatchOptions): RowSource {
  const usable = examples.filter((example) => example.ids.length > 1)
  const lengths = usable.map((example) => Math.min(example.ids.length - 1, length))

  const order = (epoch: number, random: Random): Uint32Array => {
    const shuffled = random.permutation(usable.length)
    const taken = (rows - ((epoch * usable.length) % rows)) % rows
    const whole: Uint32Array[] = []
    const incomplete: Uint32Array[] = []
    for (let start = taken; start < shuffled.length; start += rows * batchesSorted) {
      const stretch = shuffled.slice(start, start + rows * batchesSorted)
      stretch.sort((a, b) => lengths[a]! - lengths[b]! || a - b)
      for (let at = 0; at < stretch.length; at += rows) {
        const batch = stretch.subarray(at, at + rows)
        ;(batch.length === rows ? whole : incomplete).push(batch)
      }
    }
    const batches = Array.from(random.permutation(whole.length), (index) => whole[index]!)
    const result = shuffled.slice()
    let at = taken
    for (const batch of [...batches, ...incomplete]) {
      result.set(batch, at)
      at += batch.length
    }
    return result
  }

  return {
    rowsPerEpoch: usable.length,
    tokensPerEpoch: usable.reduce((sum, { ids }) => sum + Math.min(ids.length, length + 1), 0),
    order,
    lengthOf: (row) => lengths[row]!,
    write: (batch, offset, _epoch, row) =>
      writePiece(batch, offset, { example: usable[row]!, start: 0, end: lengths[row]! }, 1),
  }
}
