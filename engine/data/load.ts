import { setImmediate } from 'node:timers/promises'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import { SecateurError, badFile, badSetting } from '../shared/errors.ts'
import { answerFields, type Conversation, conversationOf, messageFields } from './conversation.ts'
import type { EncodedExample } from './example.ts'
import { type RenderChat, type TrainOn, encodeConversation } from './instruction.ts'
import { ConversationError } from './row-values.ts'
import { type Row, type RowOptions, readRows } from './rows.ts'
import { encodeText, textFields, textOf } from './text.ts'

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
  onProgress?: (progress: LoadProgress) => void
  signal?: AbortSignal
}

export interface LoadProgress {
  file: string
  documents: number
  tokens: number
}

export interface TrainingData {
  examples: EncodedExample[]
  kind: DataKind
  /** Rows that became examples. */
  documents: number
  /** Tokens in all examples. */
  tokens: number
  /** Rows without text or answer. */
  blank: number
  /** Conversations that were cut at maxLength, and those of them that had nothing left to be learnt. */
  cut: number
  dropped: number
}

/** Work is put down every so many milliseconds, to tell of progress and to hear of an abort. */
const sliceMilliseconds = 100

/**
 * Reads and encodes training data. Each row's kind is found by its fields (see `conversationOf` and `textOf`);
 * instruction data goes before text where a row has both. Errors: broken files (see `readRows`); a row whose fields are
 * of no known kind, with the fields that it has; a file, or all files, with nothing in it to train on. An abort throws
 * the signal's reason.
 */
export async function loadTrainingData(files: readonly string[], options: LoadOptions): Promise<TrainingData> {
  const { limit = Infinity, maxLength, signal, onProgress } = options
  if (!(limit > 0)) throw badSetting('limit', `must be above 0, not ${limit}`)
  if (maxLength !== undefined && !(maxLength >= 2)) throw badSetting('maxLength', `must be 2 or more, not ${maxLength}`)
  if (files.length === 0) throw badSetting('data', 'give at least one file to train on')
  const data: TrainingData = { examples: [], kind: 'text', documents: 0, tokens: 0, blank: 0, cut: 0, dropped: 0 }
  const kinds = new Set<DataKind>()

  let sliceEnd = performance.now() + sliceMilliseconds
  for (const file of files) {
    const before = data.documents
    let rowNumber = 0
    for await (const row of readRows(file, rowOptions(options))) {
      if (data.documents >= limit) break
      rowNumber++
      const kind = addRow(data, row, file, rowNumber, options)
      if (kind) kinds.add(kind)
      if (performance.now() < sliceEnd) continue
      onProgress?.({ file, documents: data.documents, tokens: data.tokens })
      await setImmediate()
      signal?.throwIfAborted()
      sliceEnd = performance.now() + sliceMilliseconds
    }
    if (data.documents === before && data.documents < limit) {
      throw badFile(file, undefined, rowNumber === 0 ? 'holds no rows' : `holds ${rowNumber} rows, none to train on`)
    }
    onProgress?.({ file, documents: data.documents, tokens: data.tokens })
  }
  if (data.examples.length === 0) throw badSetting('data', 'holds no text of two tokens or more to train on')
  return { ...data, kind: kinds.size > 1 ? 'mixed' : (kinds.values().next().value ?? 'text') }
}

const rowOptions = ({ textUnit, signal }: LoadOptions): RowOptions => ({
  ...(textUnit === undefined ? {} : { textUnit }),
  ...(signal === undefined ? {} : { signal }),
})

/** Encodes a row and adds it to the data. Returns its kind, or null where there is nothing in it to be learnt. */
function addRow(data: TrainingData, row: Row, file: string, number: number, options: LoadOptions): DataKind | null {
  const { tokenizer, field, trainOn, maxLength, renderChat = chatOf(tokenizer) } = options
  const conversation = inRow(file, number, () => conversationOf(row, field))
  const text = conversation === null ? textOf(row, field) : null
  if (conversation === null && text === null) {
    if (!isEmpty(row, field)) throw unknownFields(row, file, number, field)
    data.blank++
    return null
  }
  if (conversation === null) {
    if (text!.trim() === '') data.blank++
    else addPieces(data, encodeText(text!, tokenizer), maxLength)
    return text!.trim() === '' ? null : 'text'
  }
  if (answersOf(conversation, trainOn).trim() === '') {
    data.blank++
    return null
  }
  let example = inRow(file, number, () => encodeConversation(conversation, tokenizer, { renderChat, trainOn }))
  if (maxLength !== undefined && example.ids.length > maxLength) {
    data.cut++
    example = { ids: example.ids.slice(0, maxLength), trained: example.trained.slice(0, maxLength) }
  }
  if (!example.trained.includes(1)) {
    data.dropped++
    return null
  }
  add(data, example)
  data.documents++
  return 'instruction'
}

const chatOf =
  (tokenizer: Tokenizer): RenderChat =>
  (messages, options) =>
    tokenizer.chat(messages, options)

/** The answers of a conversation that are to be learnt. */
function answersOf(conversation: Conversation, trainOn: TrainOn = 'answers'): string {
  if (conversation.kind !== 'messages') return conversation.answer
  return conversation.messages
    .filter(({ role, train }) => role === 'assistant' && (trainOn !== 'answers' || train === undefined))
    .map(({ content }) => content)
    .join('')
}

/** Does something with a row. What is wrong with the row, or what a chat template says of it, becomes an error at it. */
function inRow<T>(file: string, number: number, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof SecateurError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    const message =
      error instanceof ConversationError
        ? reason
        : `the model's chat template does not take this conversation: ${reason}`
    throw badFile(file, `row ${number}`, message, error)
  }
}

function addPieces(data: TrainingData, { ids, trained }: EncodedExample, maxLength = ids.length) {
  data.documents++
  for (let start = 0; start < ids.length; start += maxLength) {
    const piece = { ids: ids.slice(start, start + maxLength), trained: trained.slice(start, start + maxLength) }
    piece.trained[0] = 0
    if (piece.ids.length > 1) add(data, piece)
  }
}

function add(data: TrainingData, example: EncodedExample) {
  data.examples.push(example)
  data.tokens += example.ids.length
}

/** A row that has a field for what is looked for but nothing in it, as table formats write a missing value. */
const isEmpty = (row: Row, field: string | undefined): boolean =>
  (field === undefined ? [...textFields, ...answerFields, ...messageFields] : [field]).some(
    (name) => row[name] === null,
  )

function unknownFields(row: Row, file: string, number: number, field: string | undefined) {
  const found = Object.entries(row)
    .slice(0, 20)
    .map(([name, value]) => `${name} (${Array.isArray(value) ? 'list' : value === null ? 'null' : typeof value})`)
    .join(', ')
  const expected =
    field === undefined
      ? 'expected text (text, sentence), a conversation (messages), or a question and its answer ' +
        '(instruction and output, prompt and completion, question and answer); or name the field that holds the text'
      : `expected text or a list of messages in the field ${field}`
  return badFile(file, `row ${number}`, `has the fields ${found || 'none at all'}; ${expected}`)
}
