import type { Series } from '../../../electron/contract/index.ts'

/** New points of one curve, as they come while a run goes on. */
export interface LivePoints {
  readonly name: string
  readonly steps: readonly number[]
  readonly values: readonly (number | null)[]
}

/**
 * A curve that grows while a run goes on and stays small: where it passes twice its limit, neighbours are averaged into
 * one, so that a run of any length costs the same to draw. Starts from the down-sampled curve that the services keep.
 */
export class Curve {
  readonly name: string
  readonly #limit: number
  steps: number[] = []
  mean: (number | null)[] = []
  min: (number | null)[] = []
  max: (number | null)[] = []
  /** Points behind each entry. */
  #weights: number[] = []

  /** @param limit entries wanted; up to twice as many are held. */
  constructor(name: string, limit = 1000) {
    this.name = name
    this.#limit = limit
  }

  static from(series: Series, limit = 1000): Curve {
    const curve = new Curve(series.name, limit)
    curve.steps = [...series.steps]
    curve.mean = [...series.mean]
    curve.min = [...series.min]
    curve.max = [...series.max]
    const each = series.steps.length > 0 ? Math.max(1, series.points / series.steps.length) : 1
    curve.#weights = curve.steps.map(() => each)
    return curve
  }

  get length(): number {
    return this.steps.length
  }
  get last(): number | null {
    return this.mean.at(-1) ?? null
  }
  get lastStep(): number {
    return this.steps.at(-1) ?? Number.NEGATIVE_INFINITY
  }

  /** Adds the points after the last one that is there: a batch that was already counted in changes nothing. */
  append({ steps, values }: Pick<LivePoints, 'steps' | 'values'>): void {
    const full = Math.max(1, ...this.#weights.slice(0, 1))
    for (const [index, step] of steps.entries()) {
      if (step <= this.lastStep) continue
      const value = values[index] ?? null
      this.steps.push(step)
      this.mean.push(value)
      this.min.push(value)
      this.max.push(value)
      this.#weights.push(1)
      this.#closeBucket(full)
    }
    while (this.length > 2 * this.#limit) this.#halve()
  }

  /** Forgets what came after a step, since the run goes on from there. */
  rewind(step: number): void {
    let keep = this.length
    while (keep > 0 && (this.steps[keep - 1] ?? 0) > step) keep--
    for (const list of [this.steps, this.mean, this.min, this.max, this.#weights]) list.length = keep
  }

  /** Joins the last two entries where both together still fit one bucket of the curve. */
  #closeBucket(full: number): void {
    const last = this.length - 1
    const before = this.#weights[last - 1]
    if (before === undefined || before + (this.#weights[last] ?? 0) > full) return
    this.#join(last - 1, last, last - 1)
    for (const list of [this.steps, this.mean, this.min, this.max, this.#weights]) list.length = last
  }

  #halve(): void {
    const half = Math.ceil(this.length / 2)
    for (let index = 0; index < half; index++) this.#join(2 * index, 2 * index + 1, index)
    for (const list of [this.steps, this.mean, this.min, this.max, this.#weights]) list.length = half
  }

  #join(first: number, second: number, into: number): void {
    const weights = [this.#weights[first] ?? 0, this.#weights[second] ?? 0] as const
    const [a, b] = [this.mean[first] ?? null, this.mean[second] ?? null]
    this.mean[into] = a === null ? b : b === null ? a : (a * weights[0] + b * weights[1]) / (weights[0] + weights[1])
    this.min[into] = outermost(Math.min, this.min[first], this.min[second])
    this.max[into] = outermost(Math.max, this.max[first], this.max[second])
    this.steps[into] = this.steps[second] ?? this.steps[first] ?? 0
    this.#weights[into] = weights[0] + weights[1]
  }
}

function outermost(choose: (...values: number[]) => number, ...values: (number | null | undefined)[]): number | null {
  const known = values.filter((value) => value !== null && value !== undefined)
  return known.length > 0 ? choose(...known) : null
}

/**
 * Curves over one shared axis, as uPlot wants them: all steps in order, and each curve's values at them. Where a curve has
 * no value of its own it is `undefined`, which uPlot passes over; a real gap is null.
 */
export function align(
  curves: readonly { steps: readonly number[]; values: readonly (number | null)[] }[],
): [number[], ...(number | null | undefined)[][]] {
  const steps = [...new Set(curves.flatMap((curve) => curve.steps))].toSorted((a, b) => a - b)
  const at = new Map(steps.map((step, index) => [step, index]))
  const columns = curves.map((curve) => {
    const column = Array.from<number | null | undefined>({ length: steps.length })
    for (const [index, step] of curve.steps.entries()) column[at.get(step) ?? 0] = curve.values[index] ?? null
    return column
  })
  return [steps, ...columns]
}

/** The value of a curve at a step or the nearest before it. */
export function valueAt(
  steps: readonly number[],
  values: readonly (number | null | undefined)[],
  step: number,
): number | null {
  let low = 0
  let high = steps.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((steps[middle] ?? 0) <= step) low = middle + 1
    else high = middle
  }
  for (let index = low - 1; index >= 0; index--) {
    const value = values[index]
    if (value !== undefined) return value
  }
  return null
}
