import { commonPrefix } from '../data/common-prefix.ts'
import type { LikelihoodItem, Stem } from './scoring-model.ts'

/** Tokens that a stem has at least: of a shorter one little is saved. */
const shortest = 64
/** Lengths of rows are rounded up to a multiple of this, so that few graphs are compiled. */
export const lengthStep = 32
/** Tokens of a row at which attention takes about as long as all else, in small models; in larger ones it takes more. */
const costlyRow = 2048

/**
 * Gives items whose prefixes start with the same tokens, such as the solved examples of a subject, stems to share.
 *
 * @param most tokens that the items of a stem take at most, laid out one after the other behind it
 * @returns the items in their order
 */
export function shareStems(items: readonly LikelihoodItem[], most: number): LikelihoodItem[] {
  const result = [...items]
  const limit = most - (most % lengthStep)
  const sorted = [...items.keys()].toSorted((one, other) => compare(items[one]!.prefix, items[other]!.prefix))
  let group = new Group()
  const close = () => {
    const { stem } = group
    if (group.indices.length > 1) for (const index of group.indices) result[index] = { ...items[index]!, stem }
    group = new Group()
  }
  for (const index of sorted) {
    if (!group.take(index, items, limit)) {
      close()
      group.take(index, items, limit)
    }
  }
  close()
  return result
}

/** Neighbours in the order of their prefixes, which take the next one as long as that saves more. */
class Group {
  readonly indices: number[] = []
  /** Tokens of all of them, each alone. */
  #tokens = 0
  #stem = Infinity

  get stem(): Stem {
    return { tokens: this.#stem }
  }

  /** Takes an item, unless it is better left to another group. */
  take(index: number, items: readonly LikelihoodItem[], most: number): boolean {
    const item = items[index]!
    const tokens = this.#tokens + itemLength(item)
    const last = this.indices.at(-1)
    if (last !== undefined) {
      const stem = Math.min(this.#stem, commonPrefix(items[last]!.prefix, item.prefix))
      const saved = this.indices.length * stem
      const savedBefore = this.indices.length > 1 ? (this.indices.length - 1) * this.#stem : 0
      if (stem < shortest || saved <= savedBefore || tokens - saved > Math.min(most, bestLength(stem))) return false
      this.#stem = stem
    }
    this.indices.push(index)
    this.#tokens = tokens
    return true
  }
}

/**
 * Tokens of a row in which items that share a stem take the least time. With n tokens of which s are the stem's, attention costs
 * n / c of all else, c being `costlyRow`: n (1 + n / c) is paid for n - s tokens of items, and least for each of them at this n.
 */
export const bestLength = (stem: number): number => stem + Math.sqrt(stem ** 2 + stem * costlyRow)

/** Tokens that an item takes in a row, its suffixes after its prefix. The last token of a suffix is only predicted. */
export const itemLength = ({ prefix, suffixes }: LikelihoodItem): number =>
  suffixes.reduce((sum, suffix) => sum + suffix.length - 1, prefix.length)

/** Items that lie one after the other behind what they share, by their index. */
export interface Unit {
  indices: number[]
  /** Tokens that all of them share, and tokens of the whole. */
  stem: number
  length: number
}

/** What cannot be taken apart of items that are computed at once, in the order of the first item of each. */
export function unitsOf(items: readonly LikelihoodItem[]): Unit[] {
  const units: Unit[] = []
  const known = new Map<Stem, Unit>()
  for (const [index, item] of items.entries()) {
    const length = itemLength(item)
    const shared = item.stem && known.get(item.stem)
    if (shared) {
      shared.indices.push(index)
      shared.length += length - shared.stem
      continue
    }
    const unit = { indices: [index], stem: item.stem?.tokens ?? 0, length }
    if (item.stem) known.set(item.stem, unit)
    units.push(unit)
  }
  return units
}

function compare(one: readonly number[], other: readonly number[]): number {
  const at = commonPrefix(one, other)
  return (one[at] ?? -1) - (other[at] ?? -1)
}
