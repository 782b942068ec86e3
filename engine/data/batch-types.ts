import type { Random } from '../shared/random.ts'

/** What a training step reads: text, or images. */
export type TrainingBatch = TokenBatch | ImageBatch

export interface ImageBatch {
  /** Patches of all images, one after another: [rows, patches, values of a patch], values in the order colour, row, column. */
  patches: Float32Array
  /** The class of each image; -1 where no loss is taken. */
  labels: Int32Array
  rows: number
  /** Tokens of an image in the blocks. */
  length: number
  /** Images with a label. */
  targets: number
}

export interface TokenBatch {
  /** Rows times length token ids, row-major. */
  ids: Int32Array
  /** Target of each position: the next token's id, or -1 where no loss is taken. Same layout as ids. */
  labels: Int32Array
  /**
   * Number of the document that each position belongs to, counting from 1 in every row, 0 = padding; null where every
   * row is one document from its start and causal masking alone is right.
   */
  segments: Int32Array | null
  /** Position within its own document (the part of it in this row), for the rotary embedding; null with segments. */
  positions: Int32Array | null
  rows: number
  length: number
  /** Positions with a label. May be 0 where a whole batch holds nothing to be learnt. */
  targets: number
}

export interface Batches<Batch extends TrainingBatch = TrainingBatch> {
  /** Batches in one pass through the data, rounded up. */
  readonly perEpoch: number
  readonly tokensPerEpoch: number
  /**
   * Batch number `index` counted from the start of training: a pure function of the seed and the index, so that a resumed
   * run needs no other state. The rows of all passes follow one another, each pass in an order of its own, and a batch
   * takes the next `rows` of them: the last batch of a pass is completed by the first rows of the next one.
   */
  at(index: number): Batch
}

export interface BatchOptions {
  /** Rows in every batch. */
  rows: number
  /** Positions in a row; in `pad` mode at most. */
  length: number
  seed: number
  /**
   * - `pack`: documents one after the other in a random order, cut every `length` tokens, the rows shuffled; attention
   *   crosses from one document to the next (nanoGPT)
   * - `pack-documents`: whole documents laid side by side in rows, attention within a document only; a document longer
   *   than a row is divided
   * - `pad`: one example a row, cut at `length`, examples of similar length together, the batch as long as its longest
   *   example rounded up to a multiple of 32, so that there are at most length / 32 shapes
   *
   * In all modes the label of a position is the token that follows in its document, also when that token lies beyond the
   * end of the row.
   */
  mode: 'pack' | 'pack-documents' | 'pad'
  /** Whether the first pass is all that is wanted: what completes its last batch, or its last row, has no labels. */
  once?: boolean
  /** Whether sequences are the same in every pass, and only their order changes: in `pack` mode they are cut anew otherwise. */
  repeats?: boolean
  /** Id that fills what is left over; never a label. */
  padId: number
}

/** The rows of a data set in the order of training; each mode is one of these. */
export interface RowSource {
  rowsPerEpoch: number
  tokensPerEpoch: number
  /** Order of the rows in a pass. */
  order(epoch: number, random: Random): Uint32Array
  /** Positions that a row needs. */
  lengthOf(row: number): number
  /** Writes one row into a batch, at `offset`; what it leaves is padding. Returns the number of labels. */
  write(batch: TokenBatch, offset: number, epoch: number, row: number): number
}
