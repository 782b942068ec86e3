/** What of a square matrix of cells is in view, in cells; the last ones in part. */
export interface MatrixView {
  readonly firstRow: number
  readonly firstColumn: number
  readonly rows: number
  readonly columns: number
}

/** Room for names at the left and at the top, in pixels; none where cells are too small for text. */
export const gutters = (cell: number): { left: number; top: number } =>
  cell >= smallestNamed ? { left: 104, top: 84 } : { left: 8, top: 8 }
/** Cells as high as a line of the smallest text have names beside them, and larger ones a count in them. */
export const smallestNamed = 12
export const smallestCounted = 22

/** How large a cell is where all fit into a width, in pixels. */
export function fittingCell(classes: number, width: number, most: number): number {
  const room = (cell: number) => Math.floor((Math.min(width, most) - gutters(cell).left) / Math.max(1, classes))
  const named = room(smallestNamed)
  return Math.min(34, named >= smallestNamed ? named : Math.max(2, Math.min(smallestNamed - 1, room(1))))
}

/** How large cells may be: all in view, and what makes names and counts readable where they are not. */
export function zooms(classes: number, width: number, most: number): number[] {
  const fitting = fittingCell(classes, width, most)
  return [fitting, ...[14, 26].filter((cell) => cell > fitting + 2)]
}

/** The cells that can be seen of a matrix that is scrolled so far, in a box of that size. */
export function inView(
  cell: number,
  classes: number,
  box: { width: number; height: number; left: number; top: number },
): MatrixView {
  const { left, top } = gutters(cell)
  const part = (scrolled: number, room: number) => {
    const first = Math.min(classes - 1, Math.max(0, Math.floor(scrolled / cell)))
    return [first, Math.min(classes - first, Math.ceil(room / cell) + 1)] as const
  }
  const [firstColumn, columns] = part(box.left, box.width - left)
  const [firstRow, rows] = part(box.top, box.height - top)
  return { firstRow, firstColumn, rows, columns }
}

/** How far to scroll so that a cell is in view: as little as is needed. */
export function scrolledTo(at: number, cell: number, room: number, scrolled: number): number {
  if (at * cell < scrolled) return at * cell
  return Math.max(scrolled, (at + 1) * cell - room)
}
