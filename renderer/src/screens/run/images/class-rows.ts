import type { engine } from '../../../../../electron/contract/index.ts'

type PerClass = engine.Scores['classification'] & {}
/** A checkpoint whose accuracy of each class is told. */
export interface ScoredColumn {
  readonly key: string
  readonly label: string
  readonly score: PerClass
  /** Place in the palette, from 0. */
  readonly style?: number
}

export interface ClassRow {
  readonly name: string
  readonly n: number
  /** Fraction that is right, in the order of the columns; null where a column has no images of the class. */
  readonly accuracies: readonly (number | null)[]
  /** From the first column to the last; null where one of the two is missing, or there is one alone. */
  readonly change: number | null
}

/** Classes that any of the columns has images of, by name, in the order of their first mention. */
export function classRows(columns: readonly ScoredColumn[]): ClassRow[] {
  const found = columns.map(({ score }) => new Map(score.perClass.map((each) => [each.name, each])))
  const names = new Set(columns.flatMap(({ score }) => score.perClass.flatMap(({ name, n }) => (n > 0 ? [name] : []))))
  return [...names].map((name) => {
    const accuracies = found.map((classes) => classes.get(name)?.acc ?? null)
    const [first, last] = [accuracies[0] ?? null, accuracies.at(-1) ?? null]
    return {
      name,
      n: Math.max(...found.map((classes) => classes.get(name)?.n ?? 0)),
      accuracies,
      change: accuracies.length > 1 && first !== null && last !== null ? last - first : null,
    }
  })
}

export interface ClassSort {
  /** `name`, `n`, `change`, or the number of a column. */
  readonly by: string
  readonly descending: boolean
}

/** Rows in that order; those without a value stand last, and equal ones as they stood. */
export function sortedRows(rows: readonly ClassRow[], { by, descending }: ClassSort): ClassRow[] {
  const sign = descending ? -1 : 1
  const valueOf = (row: ClassRow) =>
    by === 'n' ? row.n : by === 'change' ? row.change : (row.accuracies[Number(by)] ?? null)
  return rows.toSorted((one, other) => {
    if (by === 'name') return sign * one.name.localeCompare(other.name, undefined, { numeric: true })
    const [a, b] = [valueOf(one), valueOf(other)]
    if (a === null || b === null) return Number(a === null) - Number(b === null)
    return sign * (a - b)
  })
}
