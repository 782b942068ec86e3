import type { Random } from '../shared/random.ts'
import type { BatchOptions, RowSource } from './batch-types.ts'
import { cacheLastTwo } from './cache-last.ts'
import type { EncodedExample } from './example.ts'

/**
 * Rows cut from one long stream of documents. In every pass the documents follow one another in another random order and
 * the rows are shuffled too, so that one long document does not fill whole batches. The last row of a pass, where the
 * stream ends within it, goes on with the start of the same stream. With `repeats` the first pass's rows come in all.
 */
export function packStream(
  examples: readonly EncodedExample[],
  { length, once, repeats = false }: BatchOptions,
  random: Random,
): RowSource {
  const documents = examples.filter((example) => example.ids.length > 0)
  const tokens = documents.reduce((sum, example) => sum + example.ids.length, 0)
  const rowsPerEpoch = tokens < 2 ? 0 : Math.ceil(tokens / length)

  const streamOf = cacheLastTwo((epoch) => {
    const order = random.fork(`documents of pass ${epoch}`).permutation(documents.length)
    const starts = new Float64Array(documents.length)
    let start = 0
    for (const [place, document] of order.entries()) {
      starts[place] = start
      start += documents[document]!.ids.length
    }
    return { order, starts }
  })

  return {
    rowsPerEpoch,
    tokensPerEpoch: tokens,
    order: (_epoch, shuffle) => shuffle.permutation(rowsPerEpoch),
    lengthOf: () => length,
    write(batch, offset, epoch, row) {
      const { order, starts } = streamOf(repeats ? 0 : epoch)
      let place = placeOf(starts, row * length)
      let within = row * length - starts[place]!
      let document = documents[order[place]!]!
      let labels = 0
      // One token more than the row has positions: the last one is only a label.
      for (let index = 0; index <= length; index++) {
        if (within === document.ids.length) {
          place = (place + 1) % order.length
          document = documents[order[place]!]!
          within = 0
        }
        const id = document.ids[within]!
        if (index < length) batch.ids[offset + index] = id
        const isRepeated = once === true && row * length + index >= tokens
        if (index > 0 && document.trained[within] === 1 && !isRepeated) {
          batch.labels[offset + index - 1] = id
          labels++
        }
        within++
      }
      return labels
    },
  }
}

/** The last place whose start is not after `token`, by bisection. */
function placeOf(starts: Float64Array, token: number): number {
  let [low, high] = [0, starts.length]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (starts[middle]! <= token) low = middle
    else high = middle
  }
  return low
}
