import type { LikelihoodItem } from './scoring-model.ts'

/**
 * Puts entries of similar length together, the longest first, so that what does not fit in memory fails at once. An item
 * lies in one row, its suffixes after its prefix; a batch takes at most `tokens` once its rows are padded to the longest,
 * unless one item alone is longer.
 */
export function scoringBatches<T>(entries: readonly T[], itemOf: (entry: T) => LikelihoodItem, tokens: number): T[][] {
  const longestFirst = entries
    .map((entry) => ({ entry, length: rowLength(itemOf(entry)) }))
    .toSorted((a, b) => b.length - a.length)
  const batches: T[][] = []
  let longest = 0
  for (const { entry, length } of longestFirst) {
    const batch = batches.at(-1)
    if (batch && longest * (batch.length + 1) <= tokens) batch.push(entry)
    else {
      batches.push([entry])
      longest = length
    }
  }
  return batches
}

/** The last token of a suffix is only predicted. */
const rowLength = ({ prefix, suffixes }: LikelihoodItem): number =>
  suffixes.reduce((sum, suffix) => sum + suffix.length - 1, prefix.length)
