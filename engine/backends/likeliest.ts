/** Tokens that hold the highest scores of a row, without an order, and what is known of all others. */
export interface Likeliest {
  /** The first id of the highest score. */
  best: number
  ids: Uint32Array
  scores: Float32Array
  /** Every token that is not among them has a lower score than this. */
  bound: number
  /** The sum of exp((score - highest) / temperature) over all tokens, within `sumWithin` of itself. */
  sum: number
}

/**
 * A card sums up in float32: its exponentials are good to some 50 units in the last place (3e-6), additions of some hundred numbers
 * in a row to as much, and a temperature's quotient of 80 at most, below which nothing is seen in the sum, to 5e-6.
 */
export const sumWithin = 1e-3

/** What the kernel `Likeliest` gives of a row, in words of 32 bits: some facts, and then scores and ids in turns. */
export const likeliestLayout = {
  /** How many tokens are at or above the bound, of which no more than `most` are listed. */
  found: 0,
  best: 1,
  bound: 2,
  sum: 3,
  /** 1 where a score is not finite: such a row is not ranked. */
  broken: 4,
  listed: 8,
  /** As many tokens are at or above the bound at least. */
  least: 128,
  most: 512,
  /** Words of a row where tokens are listed. */
  words: 8 + 2 * 512,
} as const

/** Scores of a row below which all of them are read as fast; the kernel wants a block of 32 in each of its 256 chunks. */
export const leastRanked = 8192

/**
 * Reads a row of what the kernel `Likeliest` gave.
 *
 * @returns null where all of the row's scores have to be looked at
 */
export function readLikeliest(row: Float32Array): Likeliest | null {
  const { found, best, bound, sum, broken, listed, most } = likeliestLayout
  const words = new Uint32Array(row.buffer, row.byteOffset, row.length)
  if (words[broken]! !== 0 || words[found]! > most) return null
  const tokens = row.length > listed ? words[found]! : 0
  return {
    best: words[best]!,
    ids: Uint32Array.from({ length: tokens }, (_, i) => words[listed + 2 * i + 1]!),
    scores: Float32Array.from({ length: tokens }, (_, i) => row[listed + 2 * i]!),
    bound: row[bound]!,
    sum: row[sum]!,
  }
}
