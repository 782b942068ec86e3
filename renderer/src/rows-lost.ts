import type { engine } from '../../electron/contract/index.ts'
import { count } from './format.ts'

/** What becomes of the rows of training data, in words. */
export interface RowsLost {
  /** As "3 of 7". */
  learnt: string
  /** Why the others are not learnt, or not whole; empty where all are. */
  reasons: string[]
  /** Sequence lengths that would lose fewer, shortest first: what each would do. */
  remedies: { length: number; effect: string }[]
  /** Whether more than blank lines of a text is lost. */
  isLoss: boolean
}

const rowsAre = (rows: number, one: string, more: string) => `${count(rows)} ${rows === 1 ? one : more}`

/**
 * @param rows what the engine has counted
 * @param cutAt tokens at which conversations are cut
 */
export function rowsLost(rows: engine.RowCounts, cutAt: number | null): RowsLost {
  const { cut, dropped, blank, unanswered, skipped, needed, longest } = rows
  const shortened = cut - dropped
  const at = cutAt === null ? 'the sequence length' : `${count(cutAt)} tokens`
  const reasons = [
    dropped > 0 && `${rowsAre(dropped, 'is', 'are')} left out: longer than ${at}, with no answer left to learn.`,
    shortened > 0 && `${rowsAre(shortened, 'is', 'are')} cut at ${at}.`,
    unanswered > 0 && `${rowsAre(unanswered, 'has', 'have')} no answer to learn.`,
    blank > unanswered && `${rowsAre(blank - unanswered, 'is', 'are')} blank.`,
    skipped > 0 && `${rowsAre(skipped, 'cannot be read and is', 'cannot be read and are')} skipped.`,
  ].filter((reason) => reason !== false)
  const remedies = [
    ...(dropped > 0 && needed < longest ? [{ length: needed, effect: 'would leave out none' }] : []),
    ...(cut > 0 ? [{ length: longest, effect: 'would cut none' }] : []),
  ]
  return {
    learnt: `${count(rows.documents)} of ${count(rows.rows)}`,
    reasons,
    remedies,
    isLoss: cut + unanswered + skipped > 0,
  }
}
