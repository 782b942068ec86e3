import { existsSync } from 'node:fs'
import type { DatasetKind, ParsedServiceParams } from '../contract/index.ts'
import { conversationOf } from '../data/conversation.ts'
import type { EncodedExample } from '../data/example.ts'
import { encodeConversation } from '../data/instruction.ts'
import { ConversationError } from '../data/row-values.ts'
import { readRows, type Row, type RowOptions } from '../data/rows.ts'
import { encodeText, textOf } from '../data/text.ts'
import { labelFileOf } from '../evaluation/read-task.ts'
import { pairEncoder } from '../evaluation/requests.ts'
import { tasks } from '../evaluation/tasks/index.ts'
import { isTaskName } from '../contract/index.ts'
import { FieldError } from '../evaluation/tasks/task.ts'
import { configOf } from '../models/checkpoint.ts'
import { openTokenizer } from '../models/model-tokenizer.ts'
import { badFile, badSetting } from '../shared/errors.ts'
import type { WorkControl } from '../shared/work-control.ts'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import { detectDataset, taskOf } from './detect.ts'
import { questionsAt } from './questions.ts'

export interface EncodedRow extends EncodedExample {
  choices?: { text: string; correct: boolean }[]
}

/** Longest text that is encoded, in UTF-16 units: a longer one would keep everybody waiting. */
const longestText = 2 ** 18

const place = (index: number) => `row ${index + 1}`

/**
 * Opens a data file to see its rows as training or scoring does: text and conversations as `loadTrainingData` encodes
 * them, questions as the zero-shot tasks, with the answer that is right. Kind and field are detected where they are not
 * given. `encode` returns null for a row with nothing in it; `onBadRow` hears of rows that cannot be read.
 */
export async function openRows(
  { path, checkpoint, trainOn, ...given }: ParsedServiceParams<'previewDataset' | 'tokenLengths'>,
  request: WorkControl,
  onBadRow?: RowOptions['onBadRow'],
): Promise<{
  tokenizer: Tokenizer
  rows: AsyncIterable<Row>
  encode: (row: Row, index: number) => EncodedRow | null
}> {
  const detected = given.kind === undefined ? await detectDataset({ path }, request) : null
  const kind = given.kind ?? detected?.kind
  const field = given.field ?? detected?.field
  const questions = kind === 'multiple-choice' ? await questionsAt(path) : null
  let task = detected?.task !== undefined && isTaskName(detected.task) ? detected.task : undefined
  if (kind === 'images') throw badSetting('kind', 'images have no tokens; look at their thumbnails')
  const tokenizer = await openTokenizer({ folder: checkpoint, config: configOf(checkpoint) })
  const encodePair = pairEncoder(tokenizer, 'modern')

  const question = (row: Row, index: number): EncodedRow => {
    task ??= questions ? undefined : taskOf(path, [row])
    const parse = questions?.parse ?? (task && tasks[task].parse)
    if (!parse) throw badFile(path, place(index), 'has not the fields of any zero-shot task that Secateur knows')
    try {
      const { contexts, choices, gold } = parse(row)
      const { context, continuation } = encodePair(contexts[gold]!, ` ${choices[gold]}`)
      const trained = new Uint8Array(context.length + continuation.length).fill(1, context.length)
      return {
        ids: Int32Array.from([...context, ...continuation]),
        trained,
        choices: choices.map((text, choice) => ({ text, correct: choice === gold })),
      }
    } catch (error) {
      if (error instanceof FieldError) throw badFile(path, `${place(index)}, ${error.field}`, error.message)
      throw error
    }
  }

  const conversationIn = (row: Row, index: number): EncodedRow | null => {
    try {
      const conversation = conversationOf(row, field)
      const renderChat: Tokenizer['chat'] = (messages, options) => tokenizer.chat(messages, options)
      return conversation && encodeConversation(conversation, tokenizer, { renderChat, trainOn })
    } catch (error) {
      throw error instanceof ConversationError ? badFile(path, place(index), error.message) : error
    }
  }

  const encode = (row: Row, index: number): EncodedRow | null => {
    if (kind === 'multiple-choice') return question(row, index)
    const conversation = kind === 'text' ? null : conversationIn(row, index)
    if (conversation) return conversation
    const text = kind === 'instruction' ? null : textOf(row, field)
    if (text === null) throw badFile(path, place(index), missing(row, kind, field))
    return text.trim() === '' ? null : encodeText(text.slice(0, longestText), tokenizer)
  }
  if (questions) return { tokenizer, rows: questions.rows(request.signal), encode }
  const rows = readRows(path, { signal: request.signal, ...(onBadRow && { onBadRow }) })
  return { tokenizer, rows: kind === 'multiple-choice' ? labelled(path, rows) : rows, encode }
}

/** Rows with the answers of the file beside them, where there is one. */
async function* labelled(path: string, rows: AsyncIterable<Row>): AsyncGenerator<Row> {
  const file = labelFileOf(path)
  if (!existsSync(file)) return yield* rows
  const labels = readRows(file)
  try {
    for await (const row of rows) {
      const { value, done } = await labels.next()
      if (row['label'] === undefined && !done) row['label'] = String((value as Row)['text']).trim()
      yield row
    }
  } finally {
    await labels.return(undefined)
  }
}

function missing(row: Row, kind: DatasetKind | undefined, field: string | undefined): string {
  const wanted =
    field === undefined
      ? kind === 'instruction'
        ? 'a question and its answer, or a list of messages'
        : 'text'
      : `text or messages in the field ${field}`
  return `holds no ${wanted.replace(/^an? /, '')}; it has the fields ${Object.keys(row).slice(0, 20).join(', ') || 'none'}`
}
