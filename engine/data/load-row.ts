import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import { SecateurError, badFile } from '../shared/errors.ts'
import { answerFields, type Conversation, conversationOf, messageFields } from './conversation.ts'
import type { EncodedExample } from './example.ts'
import { type RenderChat, type TrainOn, encodeConversation } from './instruction.ts'
import type { DataKind, Loading, LoadOptions } from './load-types.ts'
import { ConversationError } from './row-values.ts'
import type { PlacedRow, Row } from './rows.ts'
import { encodeText, textFields, textOf } from './text.ts'

/** Encodes a row and adds it to the data. Returns its kind, or null where there is nothing in it to be learnt. */
export function addRow(data: Loading, { row, place }: PlacedRow, file: string, options: LoadOptions): DataKind | null {
  const { tokenizer, field, trainOn, maxLength, renderChat = chatOf(tokenizer), keepsExamples = true } = options
  const conversation = inRow(file, place, () => conversationOf(row, field))
  const text = conversation === null ? textOf(row, field) : null
  if (conversation === null && text === null) {
    if (!isEmpty(row, field)) throw unknownFields(row, file, place, field)
    return addBlank(data, isEmpty(row, field, answerFields.concat(messageFields)))
  }
  if (conversation === null) {
    if (text!.trim() === '') return addBlank(data, false)
    addPieces(data, encodeText(text!, tokenizer), keepsExamples, maxLength)
    return 'text'
  }
  if (answersOf(conversation, trainOn).trim() === '') return addBlank(data, true)
  let example = inRow(file, place, () => encodeConversation(conversation, tokenizer, { renderChat, trainOn }))
  if (!example.trained.includes(1)) return addBlank(data, true)
  data.needed = Math.max(data.needed, example.trained.indexOf(1) + 1)
  data.longest = Math.max(data.longest, example.ids.length)
  if (maxLength !== undefined && example.ids.length > maxLength) {
    data.cut++
    example = { ids: example.ids.slice(0, maxLength), trained: example.trained.slice(0, maxLength) }
    if (!example.trained.includes(1)) {
      data.dropped++
      return null
    }
  }
  beginDocument(data, keepsExamples)
  add(data, example, keepsExamples)
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
    .map(({ content, fields }) => content + (fields?.reasoning_content ?? '') + (fields?.tool_calls ? 'calls' : ''))
    .join('')
}

/** Does something with a row. What is wrong with the row, or what a chat template says of it, becomes an error at it. */
function inRow<T>(file: string, place: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof SecateurError && error.field !== 'chat_template') throw error
    const reason = error instanceof Error ? error.message : String(error)
    const message =
      error instanceof ConversationError
        ? reason
        : `the model's chat template does not take this conversation: ${reason}`
    throw badFile(file, place, message, error)
  }
}

function addBlank(data: Loading, wantsAnswer: boolean): null {
  data.blank++
  if (wantsAnswer) data.unanswered++
  return null
}

function beginDocument(data: Loading, keeps: boolean) {
  data.documents++
  if (!keeps) return
  data.documentRows.push(data.rows)
  data.documentStarts.push(data.examples.length)
}

function addPieces(data: Loading, { ids, trained }: EncodedExample, keeps: boolean, maxLength = ids.length) {
  beginDocument(data, keeps)
  for (let start = 0; start < ids.length; start += maxLength) {
    const piece = { ids: ids.slice(start, start + maxLength), trained: trained.slice(start, start + maxLength) }
    piece.trained[0] = 0
    if (piece.ids.length > 1) add(data, piece, keeps)
  }
}

function add(data: Loading, example: EncodedExample, keeps: boolean) {
  if (keeps) data.examples.push(example)
  data.tokens += example.ids.length
}

/** A row that has a field for what is looked for but nothing in it, as table formats write a missing value. */
const isEmpty = (
  row: Row,
  field: string | undefined,
  fields: readonly string[] = [...textFields, ...answerFields, ...messageFields],
): boolean => (field === undefined ? fields : [field]).some((name) => row[name] === null)

function unknownFields(row: Row, file: string, place: string, field: string | undefined) {
  const found = Object.entries(row)
    .slice(0, 20)
    .map(([name, value]) => `${name} (${Array.isArray(value) ? 'list' : value === null ? 'null' : typeof value})`)
    .join(', ')
  const expected =
    field === undefined
      ? 'expected text (text, sentence), a conversation (messages), or a question and its answer ' +
        '(instruction and output, prompt and completion, question and answer); or name the field that holds the text'
      : `expected text or a list of messages in the field ${field}`
  return badFile(file, place, `has the fields ${found || 'none at all'}; ${expected}`)
}
