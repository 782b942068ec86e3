/** One line of a chart. */
export interface Line {
  readonly key: string
  readonly label: string
  readonly steps: readonly number[]
  readonly values: readonly (number | null)[]
  /** Place in the palette, from 0: colour, dash and marker together. */
  readonly style: number
  /** Without noise that smoothing would take away. */
  readonly exact?: boolean
  /** Drawn thin and faint behind the others, and left out of the legend. */
  readonly faint?: boolean
}

/** Dashes in CSS pixels; with the colour they tell lines apart for every eye and on paper. */
const dashes: readonly (readonly number[])[] = [[], [8, 4], [2, 3], [10, 3, 2, 3], [14, 5], [5, 2, 2, 2, 2, 2]]
export const dashOf = (style: number): number[] => [...(dashes[style % dashes.length] ?? [])]
export const seriesToken = (style: number): string => `series-${(style % 6) + 1}`

/** What a chart says to those who do not see it. */
export function describeLine(
  line: Line,
  format: (value: number) => string,
  formatStep: (step: number) => string,
  axis = 'step',
): string {
  const known = line.values.flatMap((value, index) => (value === null ? [] : [{ value, step: line.steps[index] ?? 0 }]))
  const [first, last] = [known[0], known.at(-1)]
  if (!first || !last) return `${line.label}: no values yet.`
  const lowest = known.reduce((a, b) => (b.value < a.value ? b : a))
  const highest = known.reduce((a, b) => (b.value > a.value ? b : a))
  const point = ({ value, step }: { value: number; step: number }) => `${format(value)} at ${axis} ${formatStep(step)}`
  return `${line.label}: from ${point(first)} to ${point(last)}; lowest ${point(lowest)}, highest ${point(highest)}.`
}
