import type { Row } from './rows.ts'

export interface Message {
  role: string
  content: string
}

/** What an instruction row says, however its fields are called. */
export type Conversation =
  /** A question, what it is about (may be empty), and its answer. */
  | { kind: 'question'; instruction: string; input: string; answer: string }
  /** Text that is followed by its completion, as they stand. */
  | { kind: 'completion'; prompt: string; answer: string }
  | { kind: 'messages'; messages: Message[] }

/** Pairs of field names, and fields that add to the question: Alpaca, Dolly, LaMini, OpenAI, question sets. */
const questionFields: { question: string; answer: string; input?: string[] }[] = [
  { question: 'instruction', answer: 'output', input: ['input'] },
  { question: 'instruction', answer: 'response', input: ['input', 'context'] },
  { question: 'prompt', answer: 'response' },
  { question: 'question', answer: 'answer' },
  { question: 'question', answer: 'response' },
]

/** Fields that hold a list of messages, and those that hold an answer: what a row lacks where they are empty. */
export const messageFields = ['messages', 'conversations', 'conversation']

export const answerFields = ['output', 'response', 'completion', 'answer']

/** ShareGPT's names for the speakers. */
const roleOf: Record<string, string> = { human: 'user', gpt: 'assistant', bot: 'assistant' }

/**
 * The conversation of a row, or null where its fields are not those of instruction data:
 * - `messages` (`role` and `content`), or ShareGPT's `conversations` (`from` and `value`)
 * - `instruction`, perhaps `input` or `context`, and `output` or `response`
 * - `prompt` and `completion`: plain text, one after the other; `prompt` and `response`; `question` and `answer`
 *
 * `field` names the field of a message list that is called something else.
 */
export function conversationOf(row: Row, field?: string): Conversation | null {
  for (const name of field === undefined ? messageFields : [field]) {
    const messages = messagesOf(row[name])
    if (messages) return { kind: 'messages', messages }
  }
  if (field !== undefined) return null
  if (isText(row['prompt']) && isText(row['completion'])) {
    return { kind: 'completion', prompt: row['prompt'], answer: row['completion'] }
  }
  for (const names of questionFields) {
    const [instruction, answer] = [row[names.question], row[names.answer]]
    if (!isText(instruction) || !isText(answer)) continue
    const input = names.input?.map((name) => row[name]).find((value) => isText(value) && value !== '')
    return { kind: 'question', instruction, input: isText(input) ? input : '', answer }
  }
  return null
}

const isText = (value: unknown): value is string => typeof value === 'string'

function messagesOf(value: unknown): Message[] | null {
  if (!Array.isArray(value)) return null
  const messages: Message[] = []
  for (const entry of value as unknown[]) {
    if (typeof entry !== 'object' || entry === null) return null
    const { role, content, from, value: said } = entry as Record<string, unknown>
    const speaker = role ?? from
    const text = content ?? said
    if (!isText(speaker) || !isText(text)) return null
    messages.push({ role: roleOf[speaker] ?? speaker, content: text })
  }
  return messages
}
