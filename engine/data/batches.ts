import { badSetting } from '../shared/errors.ts'
import { Random } from '../shared/random.ts'
import { packDocuments } from './batches-documents.ts'
import { packStream } from './batches-stream.ts'
import { padExamples } from './batches-padded.ts'
import type { BatchOptions, Batches, TokenBatch } from './batch-types.ts'
import type { EncodedExample } from './example.ts'
import { cacheLastTwo } from './cache-last.ts'

export type { BatchOptions, Batches, ImageBatch, TokenBatch, TrainingBatch } from './batch-types.ts'

/** The training batches of a data set. Errors: settings that are no whole numbers in range, nothing to train on. */
export function makeBatches(examples: readonly EncodedExample[], options: BatchOptions): Batches<TokenBatch> {
  const { rows, length, mode, padId } = options
  for (const [field, value] of Object.entries({ rows, length })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw badSetting(field, `must be a whole number above 0, not ${value}`)
  }
  const seeded = new Random(options.seed).fork('batches')
  const source = { pack: packStream, 'pack-documents': packDocuments, pad: padExamples }[mode](
    examples,
    options,
    seeded,
  )
  if (source.rowsPerEpoch === 0) throw badSetting('data', 'holds no example of two tokens or more')

  const orderOf = cacheLastTwo((epoch) => source.order(epoch, seeded.fork(`order of pass ${epoch}`)))
  return {
    perEpoch: Math.ceil(source.rowsPerEpoch / rows),
    tokensPerEpoch: source.tokensPerEpoch,
    at(index) {
      if (!Number.isSafeInteger(index) || index < 0) throw new RangeError(`no batch has number ${index}`)
      const chosen = Array.from({ length: rows }, (_, row) => {
        const number = index * rows + row
        const epoch = Math.floor(number / source.rowsPerEpoch)
        return { epoch, row: orderOf(epoch)[number % source.rowsPerEpoch]! }
      })
      const longest = Math.max(...chosen.map(({ row }) => source.lengthOf(row)))
      const batch = emptyBatch(rows, mode === 'pad' ? roundedLength(longest, length) : length, mode, padId)
      for (const [at, { epoch, row }] of chosen.entries()) {
        const start = at * batch.length
        const labels = source.write(batch, start, epoch, row)
        if (options.once && epoch > 0) batch.labels.fill(-1, start, start + batch.length)
        else batch.targets += labels
      }
      return batch
    },
  }
}

const roundedLength = (needed: number, limit: number) => Math.min(limit, Math.ceil(needed / 32) * 32)

function emptyBatch(rows: number, length: number, mode: BatchOptions['mode'], padId: number): TokenBatch {
  const size = rows * length
  const byDocument = mode === 'pack-documents'
  return {
    ids: new Int32Array(size).fill(padId),
    labels: new Int32Array(size).fill(-1),
    segments: byDocument ? new Int32Array(size) : null,
    positions: byDocument ? new Int32Array(size) : null,
    rows,
    length,
    targets: 0,
  }
}
