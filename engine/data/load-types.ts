import type { RowCounts } from '../contract/index.ts'
import type { SecateurError } from '../shared/errors.ts'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import type { EncodedExample } from './example.ts'
import type { RenderChat, TrainOn } from './instruction.ts'
import type { RowOptions } from './rows.ts'

export type DataKind = 'text' | 'instruction' | 'mixed'

export interface LoadOptions {
  tokenizer: Tokenizer
  /** Chat template; default the tokenizer's own. Alpaca's layout is used where it returns null. */
  renderChat?: RenderChat
  /** Field that holds the text, or the list of messages, of every row; default by well-known names. */
  field?: string
  /** Where loss is taken in instruction data (default: answers). */
  trainOn?: TrainOn
  /** Documents read at most, over all files. */
  limit?: number
  /**
   * Tokens in an example at most. A longer text is divided; a longer conversation is cut at its end, and dropped where
   * nothing is left to be learnt.
   */
  maxLength?: number
  /** What a document of a text file is (default: line). */
  textUnit?: RowOptions['textUnit']
  /** What becomes of a row that cannot be read (default: refuse). */
  badRows?: 'refuse' | 'skip'
  /** Fraction of the rows that may be lost, of those that are meant to be learnt (default: 1). */
  maxLostRows?: number
  /** Whether the examples are wanted (default), or only what becomes of the rows. */
  keepsExamples?: boolean
  onProgress?: (progress: LoadProgress) => void
  signal?: AbortSignal
}

export interface LoadProgress {
  file: string
  /** Fraction of the file that is read. */
  fraction: number
  documents: number
  tokens: number
}

/** Rows that were skipped of which it is remembered what is wrong with them. */
export const mostBadRows = 20

export interface TrainingData extends RowCounts {
  examples: EncodedExample[]
  /** Of each document: the number of its row over all files, counted from 1, and of its first example, from 0. */
  documentRows: number[]
  documentStarts: number[]
  /** What is wrong with the first rows that were skipped. */
  bad: SecateurError[]
  kind: DataKind
  /** Tokens in all examples. */
  tokens: number
  /** Says which rows are not learnt, or not whole, and why; null where all are. */
  loss: string | null
}

/** What is loaded so far. */
export type Loading = Omit<TrainingData, 'kind' | 'loss'>
