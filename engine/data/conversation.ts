import { type Message, messagesOf } from './messages.ts'
import { ConversationError, isFilled, isText, kindOf, listOf, refuse } from './row-values.ts'
import type { Row } from './rows.ts'

/** What an instruction row says, however its fields are called. */
export type Conversation =
  /** A question, what it is about (may be empty), and its answer. */
  | { kind: 'question'; instruction: string; input: string; answer: string }
  /** Text that is followed by its completion, as they stand. */
  | { kind: 'completion'; prompt: string; answer: string }
  /** Turns of a chat, perhaps with the tools that may be called in it, as JSON schemas. */
  | { kind: 'messages'; messages: Message[]; tools?: unknown[] }

/** Pairs of fields for a question and its answer: Alpaca, Dolly and LaMini, OpenAI, question sets, OpenOrca. */
const questionFields: readonly { question: string; answer: string }[] = [
  { question: 'instruction', answer: 'output' },
  { question: 'instruction', answer: 'response' },
  { question: 'prompt', answer: 'response' },
  { question: 'question', answer: 'answer' },
  { question: 'question', answer: 'response' },
]
/** What a question is about. */
const inputFields = ['input', 'context']
/** What is said before everything else. */
const systemFields = ['system', 'system_prompt', 'system_message']

/** Fields that hold a list of messages, and those that hold an answer: what a row lacks where they are empty. */
export const messageFields = ['messages', 'conversations', 'conversation']

export const answerFields = ['output', 'response', 'completion', 'answer']

/** What changes what a conversation says or what is learnt of it, and is not read. */
const unread: Record<string, string> = {
  functions: 'give them as tools',
  chat_template_kwargs: 'templates get no settings of a row',
  reasoning_content: 'write it into the answer, as the model writes it',
  image: 'only text is read',
  images: 'only text is read',
  videos: 'only text is read',
  audios: 'only text is read',
}

/**
 * The conversation of a row, or null where its fields are not those of instruction data:
 * - `messages` (`role` and `content`), or ShareGPT's `conversations` (`from` and `value`)
 * - `prompt` and `completion`: plain text, one after the other, or TRL's lists of messages, of which the completion is
 *   learnt
 * - `instruction`, `prompt` or `question`, perhaps `input` or `context`, and `output`, `response` or `answer`
 *
 * `tools` are JSON schemas, a list or JSON text, that the chat template shows to the model.
 * `system` (`system_prompt`) goes before it, and so does Alpaca's `history`, a list of pairs whose answers are learnt too.
 * `field` names the field of a message list that is called something else.
 *
 * @throws ConversationError where something in it cannot be read, or would not be heard, saying what and what to do
 */
export function conversationOf(row: Row, field?: string): Conversation | null {
  const found = messageListOf(row, field) ?? (field === undefined ? (completionOf(row) ?? questionOf(row)) : null)
  if (!found) return null
  for (const [name, remedy] of Object.entries(unread))
    if (isFilled(row[name])) refuse(name, `is not read: ${remedy}, or leave it out`)
  if (row['kto_tag'] === false || (row['label'] === false && found.kind !== 'question'))
    throw new ConversationError(
      'is marked as a bad answer (label or kto_tag: false), which must not be learnt: remove it',
    )
  return withTools(withBefore(found, systemOf(row), historyOf(row)), row['tools'])
}

/** Whether a row has the fields of a conversation, one that cannot be trained on included. */
export function isConversation(row: Row): boolean {
  try {
    return conversationOf(row) !== null
  } catch (error) {
    if (error instanceof ConversationError) return true
    throw error
  }
}

/** The field that holds a row's messages, where one does. */
export const messageFieldOf = (row: Row): string | undefined =>
  messageFields.find((name) => {
    try {
      return messagesOf(row[name], name) !== null
    } catch {
      return true
    }
  })

/** A question as the turns of a chat. */
export function messagesOfQuestion({ instruction, input, answer }: Conversation & { kind: 'question' }): Message[] {
  const content = input === '' ? instruction : `${instruction}\n\n${input}`
  return [
    { role: 'user', content },
    { role: 'assistant', content: answer },
  ]
}

function messageListOf(row: Row, field: string | undefined): Conversation | null {
  for (const name of field === undefined ? messageFields : [field]) {
    const messages = messagesOf(row[name], name)
    if (messages) return { kind: 'messages', messages }
  }
  return null
}

/** Text and its completion, or TRL's messages and those that complete them; only the latter are learnt. */
function completionOf({ prompt, completion, ...rest }: Row): Conversation | null {
  const [before, after] = [messagesOf(prompt, 'prompt'), messagesOf(completion, 'completion')]
  if (isText(prompt) && isText(completion) && !before && !after) {
    for (const name of inputFields)
      if (isFilled(rest[name]))
        refuse(name, 'has no place between a plain prompt and its completion: write it into the prompt')
    return { kind: 'completion', prompt, answer: completion }
  }
  const asked = before ?? (isText(prompt) ? [{ role: 'user', content: prompt }] : null)
  const said = after ?? (isText(completion) ? [{ role: 'assistant', content: completion }] : null)
  if (!asked || !said) return null
  const read = asked.map((message): Message => {
    const isRule = message.role === 'assistant' && message.train === undefined
    return isRule ? { ...message, train: 'with everything' } : message
  })
  return { kind: 'messages', messages: [...read, ...said] }
}

function questionOf(row: Row): Conversation | null {
  for (const names of questionFields) {
    const [instruction, answer] = [row[names.question], row[names.answer]]
    if (isText(instruction) && isText(answer))
      return { kind: 'question', instruction, input: oneText(row, inputFields), answer }
  }
  return null
}

function systemOf(row: Row): string {
  const system = oneText(row, systemFields)
  return system.trim() === '' ? '' : system
}

/** The text of the field that has one; empty where none has. */
function oneText(row: Row, fields: readonly string[]): string {
  const filled = fields.filter((name) => (isText(row[name]) ? row[name] !== '' : isFilled(row[name])))
  const [first, second] = filled
  if (first === undefined) return ''
  const value = row[first]
  if (!isText(value)) return refuse(first, `is ${kindOf(value)}, not text`)
  if (second !== undefined && row[second] !== value)
    refuse(second, `says something else than ${first}: give one of them`)
  return value
}

function historyOf({ history }: Row): Message[] {
  if (!isFilled(history)) return []
  if (!Array.isArray(history)) return refuse('history', `is ${kindOf(history)}; ${pairs}`)
  return history.flatMap((turn: unknown, index): Message[] => {
    const [question, answer] = Array.isArray(turn) && turn.length === 2 ? (turn as unknown[]) : []
    if (!isText(question) || !isText(answer)) return refuse(`history, entry ${index + 1}`, `is not a pair; ${pairs}`)
    return [
      { role: 'user', content: question },
      { role: 'assistant', content: answer },
    ]
  })
}

function withTools(found: Conversation, given: unknown): Conversation {
  if (!isFilled(given)) return found
  const tools = listOf(given) ?? refuse('tools', `is ${kindOf(given)}, not a list of JSON schemas`)
  if (found.kind === 'completion')
    return refuse('tools', 'have no place before a plain prompt and its completion: write them into the prompt')
  return { kind: 'messages', messages: found.kind === 'question' ? messagesOfQuestion(found) : found.messages, tools }
}

const pairs = 'give a list of pairs, each a question and its answer'

function withBefore(found: Conversation, system: string, history: Message[]): Conversation {
  if (system === '' && history.length === 0) return found
  if (found.kind === 'completion')
    return refuse(
      system === '' ? 'history' : 'system',
      'has no place before a plain prompt and its completion: write it into the prompt, or give messages',
    )
  const messages = found.kind === 'question' ? messagesOfQuestion(found) : found.messages
  if (found.kind === 'messages' && history.length > 0)
    return refuse('history', 'stands beside a list of messages: put it into that list')
  const own = messages[0]?.role === 'system' ? messages[0].content : null
  if (own !== null && system !== '' && own !== system)
    return refuse('system', 'says something else than the system message of the conversation: give one of them')
  const first = system === '' || own !== null ? [] : [{ role: 'system', content: system }]
  return { kind: 'messages', messages: [...first, ...history, ...messages] }
}
