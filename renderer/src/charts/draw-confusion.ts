import { colourAt } from './heat.ts'
import { type Confusion, shade } from './confusion.ts'
import { gutters, type MatrixView, smallestCounted, smallestNamed } from './matrix-view.ts'
import { font, token } from './theme.ts'

export interface DrawnMatrix {
  names: readonly string[]
  confusion: Confusion
  /** What is laid beside it, where the change is drawn. */
  before: Confusion | null
  /** Things of each class. */
  sizes: readonly number[]
  /** Numbers of the classes in the order in which they are drawn. */
  order: readonly number[]
  cell: number
  view: MatrixView
  scroll: { left: number; top: number }
  size: { width: number; height: number }
  /** Places in the order. */
  pointed: { row: number; column: number } | null
  /** Numbers of classes. */
  selected: { label: number; predicted: number } | null
}

/** Draws what is in view of a confusion matrix; names stay where they are while cells are scrolled. */
export function drawConfusion(context: CanvasRenderingContext2D, matrix: DrawnMatrix): void {
  const { cell, view, scroll, size, pointed, selected, order } = matrix
  const { left, top } = gutters(cell)
  context.clearRect(0, 0, size.width, size.height)
  context.save()
  context.beginPath()
  context.rect(left, top, size.width - left, size.height - top)
  context.clip()
  context.fillStyle = token('surface-sunken')
  context.fillRect(left, top, size.width, size.height)
  const place = (row: number, column: number) =>
    [left + column * cell - scroll.left, top + row * cell - scroll.top] as const
  const largest = matrix.before === null ? 1 : largestChange(matrix)
  for (let row = view.firstRow; row < view.firstRow + view.rows; row++)
    for (let column = view.firstColumn; column < view.firstColumn + view.columns; column++)
      drawCell(context, matrix, row, column, place(row, column), largest)
  const frame = (row: number, column: number, colour: string) => {
    const [x, y] = place(row, column)
    context.strokeStyle = token(colour)
    context.lineWidth = 2
    context.strokeRect(x + 1, y + 1, Math.max(3, cell - 2), Math.max(3, cell - 2))
  }
  if (selected) frame(order.indexOf(selected.label), order.indexOf(selected.predicted), 'focus')
  if (pointed) frame(pointed.row, pointed.column, 'text')
  context.restore()
  if (cell >= smallestNamed) drawNames(context, matrix)
}

function drawCell(
  context: CanvasRenderingContext2D,
  { confusion, before, sizes, order, cell }: DrawnMatrix,
  row: number,
  column: number,
  [x, y]: readonly [number, number],
  largest: number,
): void {
  const [label, predicted] = [order[row]!, order[column]!]
  const count = confusion[label]![predicted]!
  const difference = before ? count - before[label]![predicted]! : 0
  if (before ? difference === 0 : count === 0) return
  const gap = cell > 6 ? 1 : 0
  let text = String(count)
  if (before) {
    // More of what is right is better, and more of what is wrong is worse.
    const isBetter = label === predicted ? difference > 0 : difference < 0
    context.globalAlpha = 0.25 + 0.75 * shade(Math.abs(difference), largest)
    context.fillStyle = token(isBetter ? 'series-1' : 'series-2')
    context.fillRect(x, y, cell - gap, cell - gap)
    context.globalAlpha = 1
    context.fillStyle = token('text')
    text = difference > 0 ? `+${difference}` : `−${-difference}`
  } else {
    const at = shade(count, sizes[label]!)
    context.fillStyle = `rgb(${colourAt(at).join(' ')})`
    context.fillRect(x, y, cell - gap, cell - gap)
    context.fillStyle = at > 0.55 ? '#000' : '#fff'
  }
  if (cell < smallestCounted) return
  context.font = font(11)
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  context.fillText(text, x + (cell - gap) / 2, y + (cell - gap) / 2)
}

function largestChange({ confusion, before, order }: DrawnMatrix): number {
  let largest = 1
  for (const label of order)
    for (const predicted of order)
      largest = Math.max(largest, Math.abs(confusion[label]![predicted]! - before![label]![predicted]!))
  return largest
}

/** Names of rows at the left, and of columns, turned, at the top. */
function drawNames(
  context: CanvasRenderingContext2D,
  { names, order, cell, view, scroll, pointed }: DrawnMatrix,
): void {
  const { left, top } = gutters(cell)
  context.font = font(11)
  context.textBaseline = 'middle'
  const { canvas } = context
  const name = (at: number, isPointed: boolean, room: number) => {
    context.fillStyle = token(isPointed ? 'text' : 'text-soft')
    return shortened(context, names[order[at]!]!, room)
  }
  context.save()
  context.beginPath()
  context.rect(0, top, left, canvas.height)
  context.clip()
  context.textAlign = 'right'
  for (let row = view.firstRow; row < view.firstRow + view.rows; row++)
    context.fillText(name(row, pointed?.row === row, left - 12), left - 6, top + (row + 0.5) * cell - scroll.top)
  context.restore()
  context.save()
  context.beginPath()
  context.rect(left, 0, canvas.width, top)
  context.clip()
  context.textAlign = 'left'
  for (let column = view.firstColumn; column < view.firstColumn + view.columns; column++) {
    context.save()
    context.translate(left + (column + 0.5) * cell - scroll.left, top - 6)
    context.rotate(-Math.PI / 2)
    context.fillText(name(column, pointed?.column === column, top - 10), 0, 0)
    context.restore()
  }
  context.restore()
}

/** A name that fits, with an ellipsis where it is cut. */
function shortened(context: CanvasRenderingContext2D, text: string, room: number): string {
  if (context.measureText(text).width <= room) return text
  let cut = text
  while (cut.length > 1 && context.measureText(`${cut}…`).width > room) cut = cut.slice(0, -1)
  return `${cut}…`
}
