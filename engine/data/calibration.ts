import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import type { JobContext, PruneJob } from '../contract/index.ts'
import { makeBatches, type TokenBatch } from './batches.ts'
import { examplesWithout } from './held-out.ts'
import { loadTrainingData } from './load.ts'
import { badSetting } from '../shared/errors.ts'
import { Random } from '../shared/random.ts'

export type CalibrationSettings = Pick<
  PruneJob,
  | 'calibrationData'
  | 'calibrationShares'
  | 'calibrationSamples'
  | 'calibrationSequenceLength'
  | 'data'
  | 'field'
  | 'maxDocuments'
  | 'batchSize'
  | 'sequenceLength'
  | 'seed'
> &
  Partial<Pick<PruneJob, 'badRows'>>

/**
 * Rows that criteria look at before groups are chosen: drawn at random, by the seed, from each text in its share of all
 * rows, in batches of `batchSize`. Without texts of its own they come from the training data.
 *
 * @param heldOut numbers of the rows of the training data that nothing may look at but the validation
 */
export async function calibrationBatches(
  job: CalibrationSettings,
  tokenizer: Tokenizer,
  { signal }: Pick<JobContext, 'signal'>,
  heldOut: ReadonlySet<number> = new Set(),
): Promise<TokenBatch[]> {
  const length = job.calibrationSequenceLength ?? job.sequenceLength
  const random = new Random(job.seed).fork('calibration')
  const sources = job.calibrationData.length > 0 ? job.calibrationData.map((file) => [file]) : [job.data]
  const counts = rowCounts(job.calibrationSamples, sharesOf(job, sources.length))
  const rows: TokenBatch[] = []
  for (const [index, files] of sources.entries()) {
    if (counts[index] === 0) continue
    const data = await loadTrainingData(files, {
      tokenizer,
      trainOn: 'every token',
      ...(job.badRows === undefined ? {} : { badRows: job.badRows }),
      ...(job.field === undefined ? {} : { field: job.field }),
      ...(job.maxDocuments === undefined ? {} : { limit: job.maxDocuments }),
      signal,
    })
    const seed = random.fork(`text ${index}`).bits()
    const padId = tokenizer.padId ?? tokenizer.eosId ?? 0
    const examples = job.calibrationData.length > 0 ? data.examples : examplesWithout(data, heldOut)
    const drawn = makeBatches(examples, { rows: 1, length, seed, mode: 'pack', padId })
    for (let row = 0; row < counts[index]!; row++) rows.push(drawn.at(row))
  }
  // Texts are mixed within the batches.
  const mixed = Array.from(random.fork('order').permutation(rows.length), (row) => rows[row]!)
  return Array.from({ length: Math.ceil(mixed.length / job.batchSize) }, (_, batch) =>
    joined(mixed.slice(batch * job.batchSize, (batch + 1) * job.batchSize)),
  )
}

function sharesOf({ calibrationShares: shares }: CalibrationSettings, texts: number): readonly number[] {
  checkShares(shares, texts)
  return shares.length === 0 ? Array.from({ length: texts }, () => 1) : shares
}

/** @throws SecateurError where there are shares, and not one for each text */
export function checkShares(shares: readonly number[], texts: number): void {
  if (shares.length > 0 && shares.length !== texts)
    throw badSetting('calibrationShares', `${shares.length} shares do not fit ${texts} calibration texts: one for each`)
}

/** Rows of each share, rounded so that they add up to `rows` (largest remainders first, as Hamilton's method has it). */
export function rowCounts(rows: number, shares: readonly number[]): number[] {
  const total = shares.reduce((sum, share) => sum + share, 0)
  const exact = shares.map((share) => (rows * share) / total)
  const counts = exact.map(Math.floor)
  const left = rows - counts.reduce((sum, count) => sum + count, 0)
  const byRemainder = exact.map((value, index) => ({ index, rest: value - Math.floor(value) }))
  byRemainder.sort((one, other) => other.rest - one.rest || one.index - other.index)
  for (const { index } of byRemainder.slice(0, left)) counts[index]!++
  return counts
}

/** Batches of equal length as one. */
function joined(batches: readonly TokenBatch[]): TokenBatch {
  const { length } = batches[0]!
  const all = (part: 'ids' | 'labels') => Int32Array.from(batches.flatMap((batch) => [...batch[part]]))
  return {
    ids: all('ids'),
    labels: all('labels'),
    segments: null,
    positions: null,
    rows: batches.length,
    length,
    targets: batches.reduce((sum, { targets }) => sum + targets, 0),
  }
}
