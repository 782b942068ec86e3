import type { LoadPoint } from '../../../../electron/contract/index.ts'

export type LoadName = Exclude<keyof LoadPoint, 'time'>

/** A pause is longer than so many of the usual distances between two points. */
const pause = 4

/** One curve of the load over the seconds since its first point, with a gap where the run was paused. */
export function loadLine(points: readonly LoadPoint[], name: LoadName): { steps: number[]; values: (number | null)[] } {
  const steps: number[] = []
  const values: (number | null)[] = []
  const start = points[0]?.time ?? 0
  const distances = points.slice(1).map(({ time }, at) => time - points[at]!.time)
  const usual = distances.toSorted((a, b) => a - b)[distances.length >> 1] ?? 0
  for (const [at, point] of points.entries()) {
    const distance = distances[at - 1] ?? 0
    const second = Math.round((point.time - start) / 1000)
    if (distance > pause * usual) {
      steps.push(second - 1)
      values.push(null)
    }
    steps.push(second)
    values.push(point[name])
  }
  return { steps, values }
}
