import type uPlot from 'uplot'
import { font, token } from './theme.ts'

/** Colours and fonts of an axis; colours are read whenever it is drawn, so that they follow the theme. */
export const axisLook = (): Partial<uPlot.Axis> => ({
  stroke: () => token('text-soft'),
  font: font(11),
  grid: { stroke: () => token('border'), width: 1 },
  ticks: { stroke: () => token('border'), width: 1, size: 4 },
})

/**
 * Ends of an axis with room around the values, so that none lies on the frame.
 *
 * @param share room on either side as a fraction of the range
 */
export function padded(low: number | null, high: number | null, share: number): [number, number] {
  if (low === null || high === null) return [0, 1]
  const room = high > low ? (high - low) * share : Math.abs(high) * 0.1 || 1
  return [low - room, high + room]
}
