/** A run as parallel coordinates see it: settings and metrics by their names. */
export interface CoordinateRun {
  readonly name: string
  readonly varied: Readonly<Record<string, unknown>>
  readonly metrics: Readonly<Record<string, number | undefined>>
}
type Run = Pick<CoordinateRun, 'varied' | 'metrics'>

/** Ticks that fit beside an axis. */
const mostTicks = 9

/** An axis of parallel coordinates: where values stand on it, from 0 at the bottom to 1 at the top. */
export interface Axis {
  readonly name: string
  readonly ticks: readonly { readonly value: unknown; readonly place: number }[]
  readonly placeOf: (value: unknown) => number | null
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
const mean = (values: readonly number[]) => sum(values) / values.length
/** Values of settings may be lists. */
const keyOf = (value: unknown) => JSON.stringify(value ?? null)

/** The axis of a setting: its values as far apart as numbers are, and evenly where they are no numbers. */
export function settingAxis(name: string, values: readonly unknown[]): Axis {
  const different = [...new Map(values.map((value) => [keyOf(value), value])).values()]
  const numbers = different.filter((value) => typeof value === 'number')
  const isNumeric = numbers.length === different.length
  const ordered = isNumeric ? numbers.toSorted((a, b) => a - b) : different
  const [low, high] = [numbers[0] === undefined ? 0 : Math.min(...numbers), Math.max(...numbers)]
  const places = new Map(
    ordered.map((value, at) => [
      keyOf(value),
      ordered.length === 1 ? 0.5 : isNumeric ? (Number(value) - low) / (high - low) : at / (ordered.length - 1),
    ]),
  )
  return {
    name,
    ticks: thinned(ordered, isNumeric).map((value) => ({ value, place: places.get(keyOf(value))! })),
    placeOf: (value) => places.get(keyOf(value)) ?? null,
  }
}

/** Of many values the ends, where those between follow from them, or some. */
function thinned(values: readonly unknown[], isNumeric: boolean): readonly unknown[] {
  if (values.length <= mostTicks) return values
  if (isNumeric) return [values[0], values.at(-1)]
  const step = Math.ceil(values.length / mostTicks)
  return values.filter((_, at) => at % step === 0)
}

/** The axis of a metric, from its smallest value to its largest. */
export function metricAxis(name: string, values: readonly number[]): Axis {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const placeOf = (value: unknown) =>
    typeof value !== 'number' ? null : high === low ? 0.5 : (value - low) / (high - low)
  return { name, placeOf, ticks: [...new Set([low, high])].map((value) => ({ value, place: placeOf(value)! })) }
}

/**
 * Which part of the differences in a metric a setting explains by itself: the variance between its values over all variance
 * (eta squared), from 0 to 1. Null where that says nothing: all runs are the same in the metric or in the setting, or no value
 * of it was run twice.
 */
export function explained(runs: readonly Run[], setting: string, metric: string): number | null {
  const known = runs.flatMap(({ varied, metrics }) => {
    const value = metrics[metric]
    return value === undefined ? [] : [{ key: keyOf(varied[setting]), value }]
  })
  const groups = [...Map.groupBy(known, ({ key }) => key).values()].map((own) => own.map(({ value }) => value))
  if (groups.length < 2 || groups.length === known.length) return null
  const middle = mean(known.map(({ value }) => value))
  const all = sum(known.map(({ value }) => (value - middle) ** 2))
  return all === 0 ? null : sum(groups.map((own) => own.length * (mean(own) - middle) ** 2)) / all
}

/** Settings with what each explains of a metric, the most first; those of which that cannot be told last, as they come. */
export const importances = (
  runs: readonly Run[],
  settings: readonly string[],
  metric: string | undefined,
): { name: string; share: number | null }[] =>
  settings
    .map((name) => ({ name, share: metric === undefined ? null : explained(runs, name, metric) }))
    .toSorted((a, b) => (b.share ?? -1) - (a.share ?? -1))
