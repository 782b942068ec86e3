import type { RowCounts } from '../../contract/index.ts'

/**
 * What becomes of pictures, in the words that data have for rows.
 *
 * @param length tokens of a picture
 */
export const pictureCounts = (pictures: number, broken: number, length: number): RowCounts => ({
  rows: pictures,
  documents: pictures - broken,
  blank: 0,
  unanswered: 0,
  cut: 0,
  dropped: 0,
  skipped: broken,
  needed: length,
  longest: length,
})
