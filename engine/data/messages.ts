import type { ChatFields, ChatMessage } from '../tokenizer/tokenizer-type.ts'
import { isFilled, isRecord, isText, kindOf, listOf, refuse } from './row-values.ts'

export interface Message extends ChatMessage {
  /**
   * Whether it is learnt, where the row says otherwise than the rule that every answer is and nothing else;
   * `with everything`: an answer of the prompt, which is learnt only where everything is.
   */
  train?: boolean | 'with everything'
}

/** The speakers that a chat template knows, in the spellings of ShareGPT, Gemma, OpenAI and those who collected chats. */
const spellings: Record<string, readonly string[]> = {
  user: ['user', 'human', 'prompter'],
  assistant: [
    'assistant',
    'gpt',
    'chatgpt',
    'gpt4',
    'gpt-4',
    'bot',
    'chatbot',
    'model',
    'ai',
    'bing',
    'bard',
    'claude',
  ],
  system: ['system', 'developer'],
}
/** What a model reads and did not say itself: these go to the template as they stand. */
const sources = ['tool', 'function', 'observation', 'ipython', 'environment', 'context', 'documents']

const roles: ReadonlyMap<string, string> = new Map([
  ...Object.entries(spellings).flatMap(([role, names]) => names.map((name): [string, string] => [name, role])),
  ...sources.map((name): [string, string] => [name, name]),
])

const inContent = 'write it into the content, as the model writes it'
/** What changes what a message says or what is learnt of it, and is not read. */
const unread: Record<string, string> = {
  function_call: 'give it as tool_calls',
  refusal: inContent,
  tools: 'give them beside the messages',
  functions: 'give them as tools, beside the messages',
  audio: 'only text is read',
  image: 'only text is read',
  images: 'only text is read',
  videos: 'only text is read',
  loss_scale: 'weight: 0 leaves a whole message out of the loss',
  train_detail: 'weight: 0 leaves a whole message out of the loss',
  training_detail: 'weight: 0 leaves a whole message out of the loss',
}

/** Names of what a model thought before it answered, the chat template API's own first. */
const reasoningFields = ['reasoning_content', 'thinking', 'reasoning']

/** Fields that say whether a message is learnt: OpenAI, Axolotl, ms-swift. */
const trainFields = ['weight', 'train', 'training', 'loss']

/**
 * The messages of a field, or null where it holds no such list: a list of messages, the same as JSON text, or a list for
 * each part of them (as Parquet has a sequence of structs). A message has `role` and `content`, or `from` and `value`.
 *
 * @throws ConversationError with the number of a message that cannot be read, or that says what would not be heard
 */
export function messagesOf(value: unknown, field: string): Message[] | null {
  const entries = entriesOf(value, field)
  return entries && entries.map((entry, index) => messageOf(entry, `${field}, message ${index + 1}`))
}

function entriesOf(value: unknown, field: string): unknown[] | null {
  if (Array.isArray(value)) return value as unknown[]
  if (typeof value === 'string') return listInText(value)
  return isRecord(value) ? entriesOfColumns(value, field) : null
}

/** Text is a list of messages where it is JSON and nothing else. */
function listInText(text: string): unknown[] | null {
  if (!/^\s*\[\s*\{/.test(text)) return null
  try {
    const value: unknown = JSON.parse(text)
    const isList =
      Array.isArray(value) && value.every((entry) => isRecord(entry) && isText(entry['role'] ?? entry['from']))
    return isList ? (value as unknown[]) : null
  } catch {
    return null
  }
}

function entriesOfColumns(columns: Record<string, unknown>, field: string): unknown[] | null {
  const speakers = columns['role'] ?? columns['from']
  const texts = columns['content'] ?? columns['value']
  if (!Array.isArray(speakers) || !Array.isArray(texts)) return null
  const lists = Object.entries(columns).filter((entry): entry is [string, unknown[]] => Array.isArray(entry[1]))
  const other = lists.find(([, list]) => list.length !== speakers.length)
  if (other) refuse(field, `has ${speakers.length} speakers, but ${other[1].length} entries in ${other[0]}`)
  return speakers.map((_, index) => Object.fromEntries(lists.map(([name, list]) => [name, list[index]])))
}

function messageOf(entry: unknown, place: string): Message {
  if (!isRecord(entry)) return refuse(place, `is ${kindOf(entry)}; ${shape}`)
  const speaker = entry['role'] ?? entry['from']
  if (!isText(speaker)) return refuse(place, `says nowhere who speaks; it has ${namesOf(entry)}; ${shape}`)
  const role = roleOf(speaker, place)
  const where = `${place} (${role})`
  for (const [name, remedy] of Object.entries(unread))
    if (isFilled(entry[name])) refuse(where, `holds ${name}, which is not read: ${remedy}, or leave it out`)
  const fields = fieldsOf(entry, where)
  const given = entry['content'] ?? entry['value']
  const hasText = fields.tool_calls === undefined || (given !== undefined && given !== null)
  const content = hasText ? contentOf(given, where, entry) : ''
  const shown = { ...fields, ...(hasText ? {} : { content: null }) }
  const train = trainOf(entry, role, where)
  return {
    role,
    content,
    ...(Object.keys(shown).length > 0 && { fields: shown }),
    ...(train === null ? {} : { train }),
  }
}

/** What a chat template may read of a message besides its text. */
function fieldsOf(entry: Record<string, unknown>, where: string): Omit<ChatFields, 'content'> {
  const fields: Omit<ChatFields, 'content'> = {}
  const reasoning = reasoningFields.map((name) => entry[name]).find((value) => value !== undefined && value !== null)
  if (isText(reasoning)) fields.reasoning_content = reasoning
  else if (isFilled(reasoning)) refuse(where, `has ${kindOf(reasoning)} for its reasoning, not text`)
  const calls = entry['tool_calls']
  if (isFilled(calls))
    fields.tool_calls = listOf(calls) ?? refuse(where, `has ${kindOf(calls)} for tool_calls, not a list`)
  for (const name of ['name', 'tool_call_id'] as const) if (isText(entry[name])) fields[name] = entry[name]
  return fields
}

const shape = 'a message has role and content, or from and value'
const namesOf = (entry: Record<string, unknown>) =>
  Object.keys(entry).length === 0 ? 'no fields' : `the fields ${Object.keys(entry).slice(0, 20).join(', ')}`

function roleOf(speaker: string, place: string): string {
  const role = roles.get(speaker.trim().toLowerCase())
  if (role !== undefined) return role
  const known = [...Object.values(spellings).map((names) => names[0]!), ...sources].join(', ')
  return refuse(
    place,
    `has the role ${JSON.stringify(speaker)}, and it is not known whether that is an answer; name it one of ${known}`,
  )
}

/** Text, or parts of type text, which are joined. */
function contentOf(content: unknown, where: string, entry: Record<string, unknown>): string {
  if (isText(content)) return content
  if (Array.isArray(content)) return content.map((part: unknown, index) => partOf(part, index + 1, where)).join('')
  if (content !== undefined && content !== null) return refuse(where, `has ${kindOf(content)} for content, not text`)
  const named = 'content' in entry || 'value' in entry
  return refuse(
    where,
    named
      ? 'has null for content: give it text (an empty one too), or leave the message out'
      : `has no content; it has ${namesOf(entry)}; ${shape}`,
  )
}

const textParts = new Set(['text', 'input_text', 'output_text'])

function partOf(part: unknown, number: number, where: string): string {
  if (isText(part)) return part
  const type = isRecord(part) ? (part['type'] ?? 'text') : kindOf(part)
  if (isRecord(part) && isText(type) && textParts.has(type) && isText(part['text'])) return part['text']
  return refuse(where, `holds, as part ${number} of its content, ${String(type)}; only parts of type text are read`)
}

/** Whether a message is learnt; null where it does not say. A model's own words are the rule, so that `true` says nothing. */
function trainOf(entry: Record<string, unknown>, role: string, where: string): boolean | null {
  let train: boolean | null = null
  for (const name of trainFields) {
    const value = entry[name]
    if (value === undefined || value === null) continue
    if (value !== 0 && value !== 1 && typeof value !== 'boolean')
      refuse(where, `has ${name}: ${JSON.stringify(value)}; only 0 and 1, or false and true, are known`)
    const says = value === 1 || value === true
    if (train !== null && train !== says)
      refuse(where, `has ${name}: ${String(value)}, and another field says otherwise`)
    train = says
  }
  return train === true && role === 'assistant' ? null : train
}
