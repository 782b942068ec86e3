/** How often things of a class (row) were taken for each class (column). */
export type Confusion = readonly (readonly number[])[]

export interface ConfusedPair {
  /** Numbers of the classes. */
  readonly label: number
  readonly predicted: number
  readonly count: number
  /** Of the things of that class. */
  readonly share: number
  /** The count before, where another confusion is laid beside. */
  readonly before: number | null
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

/** Things of each class. */
export const sizes = (confusion: Confusion): number[] => confusion.map(sum)

/** Classes that things have, or were taken for, in any of the confusions. */
export function seenClasses(...confusions: readonly Confusion[]): number[] {
  const [first = []] = confusions
  const isSeen = (of: number) => confusions.some((one) => sum(one[of]!) > 0 || one.some((row) => row[of]! > 0))
  return [...first.keys()].filter(isSeen)
}

/** Pairs of different classes that were confused now or before, those first that are confused most. */
export function confusedPairs(confusion: Confusion, before: Confusion | null): ConfusedPair[] {
  const pairs = confusion.flatMap((row, label) => {
    const all = sum(row)
    return row.flatMap((count, predicted): ConfusedPair[] => {
      const was = before && before[label]![predicted]!
      if (label === predicted || (count === 0 && !was)) return []
      return [{ label, predicted, count, share: all === 0 ? 0 : count / all, before: was }]
    })
  })
  return pairs.sort((one, other) => other.count - one.count || (one.before ?? 0) - (other.before ?? 0))
}

export type ClassOrder = 'given' | 'accuracy' | 'confused'

/** Classes in an order: as they are numbered, the least accurate first, or with those beside each other that are confused. */
export function ordered(classes: readonly number[], confusion: Confusion, order: ClassOrder): number[] {
  if (order === 'given') return [...classes]
  if (order === 'confused') return besideEachOther(classes, confusion)
  const all = sizes(confusion)
  // A class without things has no accuracy: it stands last.
  const accuracy = (of: number) => (all[of] === 0 ? 2 : confusion[of]![of]! / all[of]!)
  return classes.toSorted((one, other) => accuracy(one) - accuracy(other) || one - other)
}

/**
 * Clusters classes by average linkage: of all clusters, the two that are confused most, on average over their pairs, are
 * joined, with those ends together that are confused most.
 */
function besideEachOther(classes: readonly number[], confusion: Confusion): number[] {
  const all = sizes(confusion)
  const rate = (from: number, to: number) => (all[from] === 0 ? 0 : confusion[from]![to]! / all[from]!)
  const alike = (one: number, other: number) => rate(one, other) + rate(other, one)
  let clusters = classes.map((of) => [of])
  // Of clusters by their place in the list; a row and a column go with each.
  let means = clusters.map(([one]) => clusters.map(([other]) => alike(one!, other!)))
  while (clusters.length > 1) {
    const [at, other] = mostAlike(means)
    const [one, two] = [clusters[at]!, clusters[other]!]
    const joined = endToEnd(one, two, alike)
    const mean = (from: readonly number[]) =>
      (from[at]! * one.length + from[other]! * two.length) / (one.length + two.length)
    const rest = [...clusters.keys()].filter((place) => place !== at && place !== other)
    const toJoined = rest.map((place) => mean(means[place]!))
    means = [...rest.map((place, i) => [...rest.map((to) => means[place]![to]!), toJoined[i]!]), [...toJoined, 0]]
    clusters = [...rest.map((place) => clusters[place]!), joined]
  }
  return clusters[0] ?? []
}

/** Places of the two clusters that are confused most; the first of equal ones. */
function mostAlike(means: readonly (readonly number[])[]): [number, number] {
  let best: [number, number] = [0, 1]
  for (const [one, row] of means.entries())
    for (let other = one + 1; other < row.length; other++)
      if (row[other]! > means[best[0]]![best[1]]!) best = [one, other]
  return best
}

/** Two lists as one, each turned round where that brings classes together that are confused more. */
function endToEnd(one: readonly number[], two: readonly number[], alike: (a: number, b: number) => number): number[] {
  const ways = [
    [one, two],
    [one, two.toReversed()],
    [one.toReversed(), two],
    [one.toReversed(), two.toReversed()],
  ] as const
  const seam = ([first, second]: (typeof ways)[number]) => alike(first.at(-1)!, second[0]!)
  return [...ways.reduce((best, way) => (seam(way) > seam(best) ? way : best))].flat()
}

/** Where a count stands on the scale of colours, from 0 to 1: the root, so that one in a hundred can be seen. */
export const shade = (count: number, all: number): number => (all === 0 ? 0 : Math.sqrt(Math.min(1, count / all)))
