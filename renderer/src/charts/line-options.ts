import type uPlot from 'uplot'
import { dashOf, type Line, seriesToken } from './line.ts'
import { axisLook, padded } from './plot-axes.ts'
import { token } from './theme.ts'

export interface LineOptions {
  readonly lines: readonly Line[]
  /** In CSS pixels. */
  readonly width: number
  readonly height: number
  /** Charts of one group share their cursor. */
  readonly group: string
  /** Marks every point, for curves of few. */
  readonly points: boolean
  /** Fixed ends of the vertical axis, asked for whenever it is drawn; undefined to fit the values. */
  readonly range: () => [number, number] | undefined
  readonly formatStep: (step: number) => string
  readonly formatTicks: (ticks: readonly number[]) => string[]
  /** Where the cursor is, in steps; null where it is outside of the chart. */
  readonly oncursor: (step: number | null) => void
  /** The first and the last step of what was dragged over. */
  readonly onselect: (steps: [number, number]) => void
}

/** What uPlot needs to know to draw lines over steps. */
export const lineOptions = (of: LineOptions): uPlot.Options => ({
  width: of.width,
  height: of.height,
  legend: { show: false },
  padding: [8, 12, 0, 0],
  cursor: {
    sync: { key: of.group, scales: ['x', null], setSeries: false },
    drag: { x: true, y: false, setScale: false, dist: 5 },
    points: { size: 7 },
    y: false,
  },
  scales: { x: { time: false }, y: { range: (_, low, high) => of.range() ?? fitted(low, high) } },
  axes: [
    {
      ...axisLook(),
      size: 28,
      values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? of.formatStep(tick) : '')),
    },
    { ...axisLook(), size: 64, values: (_, ticks) => of.formatTicks(ticks) },
  ],
  series: [{}, ...of.lines.map((line) => series(line, of.points))],
  hooks: {
    setCursor: [
      (u) => of.oncursor(u.cursor.left !== undefined && u.cursor.left >= 0 ? u.posToVal(u.cursor.left, 'x') : null),
    ],
    setSelect: [
      (u) => {
        if (u.select.width < 5) return
        of.onselect([u.posToVal(u.select.left, 'x'), u.posToVal(u.select.left + u.select.width, 'x')])
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
      },
    ],
  },
})

const series = ({ label, style, faint }: Line, points: boolean): uPlot.Series => ({
  label,
  stroke: () => token(seriesToken(style)) + (faint ? '55' : ''),
  width: faint ? 1 : 2,
  dash: faint ? [] : dashOf(style),
  points: { show: points ? true : (u) => (u.data[0].length === 1 ? true : undefined), size: 5 },
})

/** Around the values, and not below zero where none of them is. */
function fitted(low: number | null, high: number | null): [number, number] {
  const [from, to] = padded(low, high, 0.06)
  return [low !== null && low >= 0 ? Math.max(0, from) : from, to]
}
