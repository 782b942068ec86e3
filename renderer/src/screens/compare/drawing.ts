import { dashOf, seriesToken } from '../../charts/line.ts'
import { font, token } from '../../charts/theme.ts'
import type { ComparisonTable } from './table.ts'

export interface DrawingParts {
  readonly title: string
  readonly runs: readonly { name: string; style: number }[]
  readonly charts: readonly { title: string; canvas: HTMLCanvasElement }[]
  readonly table: ComparisonTable
}

const margin = 32
const width = 1400
const gap = 24
const line = 24
/** Beyond it browsers refuse a canvas. */
const tallest = 16_000

/** One drawing of a comparison: its runs, its charts and its table. In the colours of the theme. */
export async function drawComparison(parts: DrawingParts): Promise<Blob> {
  const rows = rowsOf(parts.charts)
  const rowHeights = rows.map((row) => Math.max(...row.map(({ height }) => height)) + line + gap)
  const lines = parts.table.sections.reduce((sum, { rows: own }) => sum + own.length + 3, 0)
  const height = margin * 2 + 60 + parts.runs.length * line + sum(rowHeights) + lines * line
  const canvas = document.createElement('canvas')
  canvas.width = width
  canvas.height = Math.min(tallest, Math.ceil(height))
  const context = canvas.getContext('2d')
  if (!context) throw new Error('This browser draws no charts.')
  context.fillStyle = token('surface')
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.textBaseline = 'middle'

  let y = margin + 14
  text(context, parts.title, margin, y, 22, 650)
  y += 40
  for (const { name, style } of parts.runs) {
    drawSwatch(context, margin, y, style)
    text(context, fitted(context, name, width - 2 * margin - 60, 14), margin + 52, y, 14)
    y += line
  }
  y += gap
  for (const [index, row] of rows.entries()) {
    let x = margin
    for (const chart of row) {
      text(context, chart.title, x, y, 14, 650)
      context.drawImage(chart.canvas, x, y + line - 8, chart.width, chart.height)
      x += chart.width + gap
    }
    y += rowHeights[index] ?? 0
  }
  drawTable(context, parts.table, y)
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('The drawing could not be made.'))), 'image/png')
  })
}

interface Placed {
  readonly title: string
  readonly canvas: HTMLCanvasElement
  readonly width: number
  readonly height: number
}

/** As many charts beside each other as there is room for, each as large as on the screen. */
function rowsOf(charts: DrawingParts['charts']): Placed[][] {
  const rows: Placed[][] = []
  let room = 0
  for (const { title, canvas } of charts) {
    if (canvas.clientWidth === 0) continue
    const size = Math.min(1, (width - 2 * margin) / canvas.clientWidth)
    const placed = { title, canvas, width: canvas.clientWidth * size, height: canvas.clientHeight * size }
    if (rows.length === 0 || placed.width > room) {
      rows.push([])
      room = width - 2 * margin
    }
    rows.at(-1)?.push(placed)
    room -= placed.width + gap
  }
  return rows
}

function drawTable(context: CanvasRenderingContext2D, { columns, sections }: ComparisonTable, top: number): void {
  let y = top
  const first = 360
  const rest = (width - 2 * margin - first) / Math.max(1, columns.length - 1)
  const row = (cells: readonly string[], weight: number) => {
    for (const [index, cell] of cells.entries()) {
      const room = (index === 0 ? first : rest) - 12
      text(
        context,
        fitted(context, cell, room, 13),
        margin + (index === 0 ? 0 : first + (index - 1) * rest),
        y,
        13,
        weight,
      )
    }
    y += line
  }
  for (const { title, rows } of sections) {
    text(context, title, margin, y, 15, 650)
    y += line
    row(columns, 600)
    rule(context, y - line / 2)
    for (const { label, cells } of rows) row([label, ...cells], 400)
    y += line
  }
}

function rule(context: CanvasRenderingContext2D, y: number): void {
  context.fillStyle = token('border')
  context.fillRect(margin, y, width - 2 * margin, 1)
}

function drawSwatch(context: CanvasRenderingContext2D, x: number, y: number, style: number): void {
  context.save()
  context.strokeStyle = token(seriesToken(style))
  context.lineWidth = 3
  context.setLineDash(dashOf(style))
  context.beginPath()
  context.moveTo(x, y)
  context.lineTo(x + 40, y)
  context.stroke()
  context.restore()
}

function text(
  context: CanvasRenderingContext2D,
  value: string,
  x: number,
  y: number,
  size: number,
  weight = 400,
): void {
  context.fillStyle = token('text')
  context.font = font(size, weight)
  context.fillText(value, x, y)
}

/** The text, cut with an ellipsis where it is wider than there is room. */
function fitted(context: CanvasRenderingContext2D, value: string, room: number, size: number): string {
  context.font = font(size)
  if (context.measureText(value).width <= room) return value
  let kept = value
  while (kept.length > 1 && context.measureText(`${kept}…`).width > room) kept = kept.slice(0, -1)
  return `${kept}…`
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
