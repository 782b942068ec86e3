import type { BatchOptions, RowSource, TokenBatch } from './batch-types.ts'
import type { EncodedExample } from './example.ts'

/** Part of an example that stands in one row: positions `start` to `end`; its labels are the tokens one further on. */
interface Piece {
  example: EncodedExample
  start: number
  end: number
}

/**
 * Rows of whole documents, none of which sees another. Which documents share a row makes no difference then, so that they
 * are laid out once (best fit, longest first) and only the order of the rows changes from pass to pass.
 */
export function packDocuments(examples: readonly EncodedExample[], { length }: BatchOptions): RowSource {
  const rows = fillRows(
    examples.flatMap((example) => divide(example, length)),
    length,
  )
  return {
    rowsPerEpoch: rows.length,
    tokensPerEpoch: examples.reduce((sum, { ids }) => (ids.length < 2 ? sum : sum + ids.length), 0),
    order: (_epoch, shuffle) => shuffle.permutation(rows.length),
    lengthOf: () => length,
    write(batch, offset, _epoch, row) {
      let labels = 0
      for (const [index, piece] of rows[row]!.entries()) {
        labels += writePiece(batch, offset, piece, index + 1)
        offset += piece.end - piece.start
      }
      return labels
    },
  }
}

/**
 * Copies a piece to a batch. `segment` numbers it where the batch has segments. Returns the number of labels.
 */
export function writePiece(batch: TokenBatch, offset: number, piece: Piece, segment: number): number {
  const { ids, trained } = piece.example
  let labels = 0
  for (let from = piece.start; from < piece.end; from++) {
    const to = offset + from - piece.start
    batch.ids[to] = ids[from]!
    if (batch.segments) batch.segments[to] = segment
    if (batch.positions) batch.positions[to] = from - piece.start
    if (trained[from + 1] !== 1) continue
    batch.labels[to] = ids[from + 1]!
    labels++
  }
  return labels
}

/** The last token of an example is only ever a label, so that n tokens take n - 1 positions. */
function divide(example: EncodedExample, length: number): Piece[] {
  const pieces: Piece[] = []
  const positions = example.ids.length - 1
  for (let start = 0; start < positions; start += length) {
    pieces.push({ example, start, end: Math.min(start + length, positions) })
  }
  return pieces
}

/** Best-fit decreasing: each piece, longest first, goes where it leaves least room. */
function fillRows(pieces: Piece[], length: number): Piece[][] {
  const rows: Piece[][] = []
  const rowsWithRoom: Piece[][][] = Array.from({ length: length + 1 }, () => [])
  const longestFirst = pieces.toSorted((a, b) => b.end - b.start - (a.end - a.start))
  for (const piece of longestFirst) {
    const size = piece.end - piece.start
    let room = size
    while (room < length && rowsWithRoom[room]!.length === 0) room++
    let row = rowsWithRoom[room]!.pop()
    if (!row) {
      row = []
      rows.push(row)
    }
    row.push(piece)
    rowsWithRoom[room - size]!.push(row)
  }
  return rows
}
