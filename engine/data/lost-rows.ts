import type { RowCounts } from '../contract/index.ts'

export const noRows = (): RowCounts => ({
  rows: 0,
  documents: 0,
  blank: 0,
  unanswered: 0,
  cut: 0,
  dropped: 0,
  skipped: 0,
  needed: 0,
  longest: 0,
})

/** The counts alone of what has more to say. */
export function countsOf(counts: RowCounts): RowCounts {
  const { rows, documents, blank, unanswered, cut, dropped, skipped, needed, longest } = counts
  return { rows, documents, blank, unanswered, cut, dropped, skipped, needed, longest }
}

/** Fraction of the rows that are not learnt, of those that are meant to be: blank lines of a text are not. */
export function lostShare({ rows, blank, unanswered, dropped, skipped }: RowCounts): number {
  const meant = rows - (blank - unanswered)
  return meant === 0 ? 0 : (unanswered + dropped + skipped) / meant
}

/**
 * Which rows are not learnt, or not whole, and why, and what length would lose none; null where all are.
 *
 * @param maxLength tokens at which conversations are cut
 * @param reason what was wrong with the first row that could not be read
 */
export function describeLoss(counts: RowCounts, maxLength = 0, reason = ''): string | null {
  const { rows, blank, unanswered, cut, dropped, skipped, needed, longest } = counts
  const shortened = cut - dropped
  const lose = dropped > 0 ? `--sequence-length ${needed} would leave out none, ` : '--sequence-length '
  const remedy = `${lose}${longest} would cut none`
  const parts = [
    dropped > 0 && `left out ${dropped} longer than ${maxLength} tokens, with no answer left to learn`,
    shortened > 0 && `cut ${shortened} at ${maxLength} tokens`,
    cut > 0 && remedy,
    unanswered > 0 && `left out ${unanswered} without an answer to learn`,
    blank > unanswered && `left out ${blank - unanswered} blank ones`,
    skipped > 0 && `left out ${skipped} that could not be read (the first: ${reason})`,
  ].filter((part) => part !== false)
  return parts.length === 0 ? null : `of ${rows} rows of training data: ${parts.join('; ')}`
}
