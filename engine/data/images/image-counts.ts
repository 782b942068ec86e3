import type { RowCounts } from '../../contract/index.ts'

/**
 * What becomes of images, in the words that data have for rows.
 *
 * @param length tokens of an image
 */
export const imageCounts = (images: number, broken: number, length: number): RowCounts => ({
  rows: images,
  documents: images - broken,
  blank: 0,
  unanswered: 0,
  cut: 0,
  dropped: 0,
  skipped: broken,
  needed: length,
  longest: length,
})
