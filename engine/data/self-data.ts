import { badFile, SecateurError } from '../shared/errors.ts'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import { type Conversation, conversationOf } from './conversation.ts'
import { type TrainOn, writeConversation } from './instruction.ts'
import type { Message } from './messages.ts'
import { ConversationError } from './row-values.ts'
import { readPlacedRows, type Row } from './rows.ts'
import { textOf } from './text.ts'

/** What a model is to continue, taken from a row of training data. */
export interface SelfPrompt {
  ids: number[]
  /** The row of training data that new tokens make of it. */
  rowOf: (continuation: readonly number[]) => Row
}

export interface PromptOptions {
  tokenizer: Tokenizer
  field?: string | undefined
  trainOn: TrainOn
  /** Tokens of a plain text that are continued at most; of a short one, half of it. */
  promptTokens: number
  badRows: 'refuse' | 'skip'
  signal?: AbortSignal | undefined
}

/**
 * The prompts of some rows: of a conversation everything before its last answer that is learnt, written by the model's chat
 * template as when the model is asked; of a text its beginning.
 *
 * @param rows numbers of rows with something to learn, over all files and counted from 1 as `TrainingData.documentRows` has them
 */
export async function readPrompts(
  files: readonly string[],
  rows: ReadonlySet<number>,
  options: PromptOptions,
): Promise<Map<number, SelfPrompt>> {
  const prompts = new Map<number, SelfPrompt>()
  let number = 0
  const onBadRow = (_: SecateurError, count: number) => void (number += count)
  for (const file of files) {
    const reading = {
      ...(options.signal && { signal: options.signal }),
      ...(options.badRows === 'skip' && { onBadRow }),
    }
    for await (const { row, place } of readPlacedRows(file, reading)) {
      if (!rows.has(++number)) continue
      prompts.set(number, promptIn(row, options, file, place))
      if (prompts.size === rows.size) return prompts
    }
  }
  throw badFile(files.at(-1)!, undefined, 'has changed while it was read; start again')
}

function promptIn(row: Row, options: PromptOptions, file: string, place: string): SelfPrompt {
  try {
    const conversation = conversationOf(row, options.field)
    if (conversation) return promptOfConversation(conversation, options)
    return promptOfText(textOf(row, options.field) ?? '', options)
  } catch (error) {
    throw error instanceof ConversationError ? badFile(file, place, error.message, error) : error
  }
}

/** Characters of a token at most, nearly always: more of a long text is not encoded for its beginning. */
const longestToken = 64

function promptOfText(text: string, { tokenizer, promptTokens, field = 'text' }: PromptOptions): SelfPrompt {
  const beginning = text.slice(0, longestToken * promptTokens).toWellFormed()
  const all = tokenizer.encode(beginning)
  const ids = all.slice(0, Math.max(1, Math.min(promptTokens, Math.floor(all.length / 2))))
  return { ids, rowOf: (continuation) => ({ [field]: tokenizer.decode([...ids, ...continuation]) }) }
}

function promptOfConversation(whole: Conversation, options: PromptOptions): SelfPrompt {
  const { tokenizer } = options
  const conversation = whole.kind === 'messages' ? upToLastAnswer(whole, options.trainOn) : whole
  const { text, answers, specialTokens } = writeConversation(
    conversation,
    (messages, given) => tokenizer.chat(messages, given),
    tokenizer.eosToken,
  )
  const ids = tokenizer.encode(text.slice(0, answers.at(-1)!.start), { specialTokens })
  const before = tokenizer.decode(ids)
  return {
    ids,
    rowOf: (continuation) =>
      answered(conversation, tokenizer.decode([...ids, ...continuation]).slice(before.length), options),
  }
}

/** A chat that ends with the last answer that training learns. */
function upToLastAnswer(
  { messages, ...rest }: Extract<Conversation, { kind: 'messages' }>,
  trainOn: TrainOn,
): Conversation {
  const isLearnt = ({ role, train }: Message) =>
    role === 'assistant' && (train === undefined || (trainOn !== 'answers' && train !== false))
  const { train: _, ...answer } = messages.findLast(isLearnt)!
  return { ...rest, messages: [...messages.slice(0, messages.findLastIndex(isLearnt)), answer] }
}

/** A conversation with another last answer, as a row that `conversationOf` reads. */
function answered(conversation: Conversation, answer: string, { field = 'messages', trainOn }: PromptOptions): Row {
  if (conversation.kind === 'completion') return { prompt: conversation.prompt, completion: answer }
  if (conversation.kind === 'question')
    return { instruction: conversation.instruction, input: conversation.input, output: answer }
  const { messages, tools } = conversation
  const turns = [
    ...messages.slice(0, -1).map((message) => turnOf(message, trainOn)),
    { role: 'assistant', content: answer },
  ]
  return { [field]: turns, ...(tools && { tools }) }
}

function turnOf({ role, content, fields, train }: Message, trainOn: TrainOn): Row {
  return { role, content, ...fields, ...markOf(train, trainOn) }
}

function markOf(train: Message['train'], trainOn: TrainOn): Row {
  if (train === undefined || (train === 'with everything' && trainOn !== 'answers')) return {}
  return { train: train === true }
}
