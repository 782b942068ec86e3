/** Charts as SVG text. Colours work on light and dark pages. */
import { scaleBand, scaleLinear, scaleLog } from 'd3-scale'
import { line } from 'd3-shape'

export interface Point {
  /** A number on a line chart, a name under bars. */
  x: number | string
  y: number
  /** Half the height of the error bar; null for none. */
  error: number | null
}
export interface Series {
  name: string
  points: Point[]
}
export interface Chart {
  title: string
  xLabel: string
  yLabel: string
  series: Series[]
  /** A level to compare with, such as the dense model. */
  reference?: { name: string; y: number } | undefined
  /** Logarithmic where values span more than a decade. */
  logarithmic?: boolean | undefined
}

// Okabe and Ito's colours, which colour-blind readers can tell apart.
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8a6d00', '#7f7f7f']
const [width, height] = [720, 420]
const margin = { left: 76, right: 16, top: 40, bottom: 64 }
/** Where the values are drawn: from left to right, and from the foot to the top. */
const across: [number, number] = [margin.left, width - margin.right]
const upwards: [number, number] = [height - margin.bottom, margin.top]
const middleOf = ([from, to]: readonly [number, number]): number => (from + to) / 2

/** Points joined by lines where all x are numbers, groups of bars otherwise. */
export function drawChart(chart: Chart): string {
  const numeric = chart.series.every(({ points }) => points.every(({ x }) => typeof x === 'number'))
  const y = verticalScale(chart)
  const marks = numeric ? lines(chart, y.place) : bars(chart, y.place, y.floor)
  const level = (value: number, look: string) =>
    `<line x1="${across[0]}" x2="${across[1]}" y1="${n(y.place(value))}" y2="${n(y.place(value))}" stroke="currentColor" ${look}/>`
  const reference = chart.reference
    ? level(chart.reference.y, 'stroke-dasharray="4 3"') +
      text(across[1], y.place(chart.reference.y) - 4, chart.reference.name, 'end')
    : ''
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height + legendHeight(chart)}" role="img" aria-label="${escape(chart.title)}" font-family="system-ui, sans-serif" font-size="12" fill="currentColor" color="#444">`,
    '<style>@media (prefers-color-scheme: dark) { svg { color: #ccc } }</style>',
    `<text x="${margin.left}" y="22" font-size="15">${escape(chart.title)}</text>`,
    ...y.ticks.map(
      (value) => level(value, 'stroke-opacity="0.15"') + text(margin.left - 8, y.place(value) + 4, short(value), 'end'),
    ),
    ...marks,
    reference,
    text(middleOf(across), height - 12, chart.xLabel, 'middle'),
    `<text transform="translate(16 ${middleOf(upwards)}) rotate(-90)" text-anchor="middle">${escape(chart.yLabel)}</text>`,
    ...legend(chart),
    '</svg>\n',
  ].join('\n')
}

interface VerticalScale {
  place: (value: number) => number
  ticks: number[]
  /** Where bars stand. */
  floor: number
}

function verticalScale({ series, reference, logarithmic }: Chart): VerticalScale {
  const points = series.flatMap(({ points: all }) => all)
  const values = [...points.map(({ y }) => y), ...(reference ? [reference.y] : [])].filter(Number.isFinite)
  const highest = Math.max(...values, ...points.map(({ y, error }) => y + (error ?? 0)).filter(Number.isFinite))
  const lowest = Math.min(...values)
  if (logarithmic && lowest > 0) {
    // Clamped, since an error bar may reach below zero.
    const place = scaleLog([lowest, Math.max(highest, 10 * lowest)], upwards)
      .nice()
      .clamp(true)
    const [low, high] = place.domain() as [number, number]
    return { place, ticks: place.ticks(Math.round(Math.log10(high / low))), floor: low }
  }
  const low = Math.min(0, lowest)
  const ticks = niceTicks(low, highest > low ? highest : low + 1)
  const floor = ticks[0]!
  return { place: scaleLinear([floor, ticks.at(-1)!], upwards), ticks, floor }
}

/** Round numbers about a fifth of the range apart, around all of it. */
export const niceTicks = (low: number, high: number): number[] => scaleLinear().domain([low, high]).nice(5).ticks(5)

function lines({ series }: Chart, place: (value: number) => number): string[] {
  const xs = [...new Set(series.flatMap(({ points }) => points.map(({ x }) => Number(x))))].sort((a, b) => a - b)
  const inset = 0.04 * (across[1] - across[0])
  const along = scaleLinear([xs[0] ?? 0, xs.at(-1) ?? 1], [across[0] + inset, across[1] - inset])
  const path = line<Point>(
    ({ x }) => along(Number(x)),
    ({ y }) => place(y),
  ).digits(1)
  const axis = xs.map((x) => text(along(x), height - margin.bottom + 18, String(x), 'middle'))
  return [
    ...axis,
    ...series.flatMap(({ name, points }, index) => {
      const colour = colours[index % colours.length]!
      const sorted = points.toSorted((a, b) => Number(a.x) - Number(b.x))
      return [
        `<path d="${path(sorted) ?? ''}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        ...sorted.map((point) => {
          const x = along(Number(point.x))
          return (
            `<circle cx="${n(x)}" cy="${n(place(point.y))}" r="3.5" fill="${colour}"><title>${escape(`${name}: ${short(point.y)} at ${point.x}`)}</title></circle>` +
            errorBar(x, point, place)
          )
        }),
      ]
    }),
  ]
}

function bars({ series }: Chart, place: (value: number) => number, floor: number): string[] {
  const names = [...new Set(series.flatMap(({ points }) => points.map(({ x }) => String(x))))]
  /** A group of bars for each name, and in it a bar for each series. */
  const group = scaleBand(names, across).paddingInner(0.2).paddingOuter(0.1)
  const bar = scaleBand([...series.keys()], [0, group.bandwidth()]).paddingInner(0.06)
  // Long names under narrow groups are turned.
  const turned = names.some((name) => name.length * 6.5 > group.step())
  return [
    ...names.map((name) => {
      const x = group(name)! + group.bandwidth() / 2
      const y = height - margin.bottom + 16
      return turned
        ? `<text transform="translate(${n(x + 4)} ${y}) rotate(-18)" text-anchor="end" font-size="11">${escape(name)}</text>`
        : text(x, y, name, 'middle')
    }),
    ...series.flatMap(({ name, points }, index) =>
      points.map((point) => {
        const x = group(String(point.x))! + bar(index)!
        const [top, foot] = [Math.min(place(point.y), place(floor)), place(floor)]
        return (
          `<rect x="${n(x)}" y="${n(top)}" width="${n(bar.bandwidth())}" height="${n(Math.max(0, foot - top))}" fill="${colours[index % colours.length]}"><title>${escape(`${point.x}, ${name}: ${short(point.y)}`)}</title></rect>` +
          errorBar(x + bar.bandwidth() / 2, point, place)
        )
      }),
    ),
  ]
}

function errorBar(x: number, { y, error }: Point, place: (value: number) => number): string {
  if (error === null || error === 0) return ''
  return `<line x1="${n(x)}" x2="${n(x)}" y1="${n(place(y - error))}" y2="${n(place(y + error))}" stroke="currentColor"/>`
}

const legendRow = 18
const legendHeight = ({ series }: Chart) => (series.length > 1 ? series.length * legendRow + 8 : 0)

function legend({ series }: Chart): string[] {
  if (series.length < 2) return []
  return series.map(({ name }, index) => {
    const y = height + index * legendRow
    return (
      `<rect x="${margin.left}" y="${y}" width="12" height="12" fill="${colours[index % colours.length]}"/>` +
      text(margin.left + 18, y + 10, name, 'start')
    )
  })
}

const n = (value: number): string => String(Math.round(value * 10) / 10)

const text = (x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end'): string =>
  `<text x="${n(x)}" y="${n(y)}" text-anchor="${anchor}">${escape(content)}</text>`

/** Four digits, with a letter for thousands and more. */
function short(value: number): string {
  const size = Math.abs(value)
  for (const [limit, letter] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e4, 'k'],
  ] as const)
    if (size >= limit) return `${Number((value / (limit === 1e4 ? 1e3 : limit)).toPrecision(4))}${letter}`
  return String(Number(value.toPrecision(4)))
}

const escape = (content: string): string =>
  content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
