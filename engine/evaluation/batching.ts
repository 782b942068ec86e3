import type { LikelihoodItem } from './scoring-model.ts'

/**
 * Puts entries of similar length together, the longest first, so that what does not fit in memory fails at once. A batch
 * costs what it holds once every prefix is padded to its longest prefix and every suffix to its longest suffix, and takes
 * at most `tokens` unless one entry alone is larger.
 */
export function makeBatches<T>(entries: readonly T[], itemOf: (entry: T) => LikelihoodItem, tokens: number): T[][] {
  const longestFirst = entries
    .map((entry) => ({ entry, size: sizeOf(itemOf(entry)) }))
    .toSorted((a, b) => b.size.prefix + b.size.suffix - a.size.prefix - a.size.suffix || b.size.prefix - a.size.prefix)
  const batches: T[][] = []
  let prefix = 0
  let suffix = 0
  let suffixes = 0
  for (const { entry, size } of longestFirst) {
    const items = batches.at(-1)?.length ?? 0
    prefix = Math.max(prefix, size.prefix)
    suffix = Math.max(suffix, size.suffix)
    suffixes += size.suffixes
    if (items > 0 && prefix * (items + 1) + suffix * suffixes <= tokens) {
      batches.at(-1)!.push(entry)
      continue
    }
    batches.push([entry])
    ;({ prefix, suffix, suffixes } = size)
  }
  return batches
}

function sizeOf({ prefix, suffixes }: LikelihoodItem) {
  const suffix = suffixes.reduce((longest, { length }) => Math.max(longest, length), 0)
  return { prefix: prefix.length, suffix, suffixes: suffixes.length }
}
