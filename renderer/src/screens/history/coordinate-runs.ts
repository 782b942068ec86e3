import type { Coordinates } from '../../../../electron/contract/index.ts'
import type { CoordinateRun } from '../../charts/coordinates.ts'

/** Runs with their settings and metrics by name. */
export function coordinateRuns({ settings, metrics, runs }: Coordinates): CoordinateRun[] {
  return runs.map(({ name, values }) => {
    const numbers = metrics.flatMap(({ key }, at): [string, number][] => {
      const value = values[settings.length + at]
      return typeof value === 'number' ? [[key, value]] : []
    })
    return {
      name,
      varied: Object.fromEntries(settings.map(({ key }, at) => [key, values[at] ?? null])),
      metrics: Object.fromEntries(numbers),
    }
  })
}
