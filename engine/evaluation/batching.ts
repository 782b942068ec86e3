import type { LikelihoodItem } from './scoring-model.ts'
import { lengthStep, unitsOf } from './shared-stems.ts'

/** Tokens of a row that items share: in a longer one attention costs more than is saved in padding. */
const sharedRow = 256

/** Rows of a batch, and the units in each by their index, one after the other. */
export interface Layout {
  /** Tokens of every row, padding included. */
  length: number
  rows: number[][]
}

/**
 * Puts entries of similar length together, the longest first, so that what does not fit in memory fails at once. A batch
 * takes at most `tokens` once it is laid out, unless one unit alone is longer. Entries whose items share a stem are a unit.
 */
export function scoringBatches<T>(entries: readonly T[], itemOf: (entry: T) => LikelihoodItem, tokens: number): T[][] {
  const units = unitsOf(entries.map(itemOf))
  const waiting = new LongestFirst(units.map((unit) => unit.length))
  const batches: T[][] = []
  while (waiting.longest > 0) {
    const length = Math.max(waiting.longest, Math.min(Math.max(sharedRow, rounded(waiting.longest)), tokens))
    const rows = Math.max(1, Math.floor(tokens / length))
    const filled = fillRows(waiting, length, rows).flat()
    batches.push(filled.flatMap((unit) => units[unit]!.indices.map((index) => entries[index]!)))
  }
  return batches
}

/**
 * Where units lie that are scored at once: several in a row where that takes fewer tokens than a row for each. Those of a batch
 * of `scoringBatches` take the rows that it counted, or fewer tokens.
 *
 * @param lengths tokens of each unit, at least one
 */
export function layOut(lengths: readonly number[]): Layout {
  const length = rounded(Math.max(...lengths))
  const alone = { length, rows: lengths.map((_, index) => [index]) }
  const shared = [length, ...stepsUpTo(sharedRow, length)].map((each) => ({
    length: each,
    rows: fillRows(new LongestFirst(lengths), each, Infinity),
  }))
  const least = Math.min(...shared.map(tokensOf))
  if (least >= tokensOf(alone)) return alone
  // Usual rows, of which graphs are compiled already, unless others are clearly better.
  return shared.findLast((one) => tokensOf(one) * worthwhile <= least)!
}

/** Lengths of rows beyond `from`. */
const stepsUpTo = (most: number, from: number): number[] =>
  Array.from({ length: Math.max(0, (most - from) / lengthStep) }, (_, step) => from + (step + 1) * lengthStep)

/** Another length of rows must take less than this part of the tokens. */
const worthwhile = 0.9

const tokensOf = ({ length, rows }: Layout): number => length * rows.length

const rounded = (length: number): number => Math.ceil(length / lengthStep) * lengthStep

/** Rows of the longest units, each filled up with the longest that still fit (first-fit decreasing). */
function fillRows(waiting: LongestFirst, length: number, most: number): number[][] {
  const rows: number[][] = []
  while (rows.length < most && waiting.longest > 0) {
    const row: number[] = []
    let left = length
    for (let next = waiting.take(left); next; next = waiting.take(left)) {
      row.push(next.index)
      left -= next.length
    }
    rows.push(row)
  }
  return rows
}

/** Units by their lengths, of which the longest is taken that fits; of equal ones the first. */
class LongestFirst {
  readonly #byLength = new Map<number, number[]>()
  /** Lengths of those that wait, the longest last. */
  readonly #lengths: number[]

  constructor(lengths: readonly number[]) {
    for (const [index, length] of lengths.entries()) {
      const alike = this.#byLength.get(length)
      if (alike) alike.push(index)
      else this.#byLength.set(length, [index])
    }
    for (const alike of this.#byLength.values()) alike.reverse()
    this.#lengths = [...this.#byLength.keys()].toSorted((one, other) => one - other)
  }

  /** Tokens of the longest that waits, 0 where none does. */
  get longest(): number {
    return this.#lengths.at(-1) ?? 0
  }

  take(most: number): { index: number; length: number } | null {
    const at = this.#lengths.findLastIndex((length) => length <= most)
    if (at < 0) return null
    const length = this.#lengths[at]!
    const alike = this.#byLength.get(length)!
    const index = alike.pop()!
    if (alike.length === 0) this.#lengths.splice(at, 1)
    return { index, length }
  }
}
