import type { ChatFields } from '../tokenizer/tokenizer-type.ts'
import type { Message } from './messages.ts'
import { isRecord, isText } from './row-values.ts'

/**
 * The message with a marker somewhere in it, the likeliest places first: in its text, in the name of the last tool that it
 * calls, in its reasoning.
 */
export function* markedMessages(message: Message, marker: string): Generator<Message> {
  const { content, fields = {} } = message
  if (fields.content !== null) for (const text of markedTexts(content, marker)) yield { ...message, content: text }
  if (fields.tool_calls) {
    const last = markedCall(fields.tool_calls.at(-1), (name) => name + marker)
    const calls = [...fields.tool_calls.slice(0, -1), last]
    yield { ...message, fields: { ...fields, tool_calls: calls } }
  }
  if (fields.reasoning_content)
    for (const text of markedTexts(fields.reasoning_content, marker))
      yield { ...message, fields: { ...fields, reasoning_content: text } }
}

/** The message with a marker in the place of everything that it says. */
export function allMarked(message: Message, marker: string): Message {
  const { content: _, reasoning_content: reasoning, tool_calls: calls, ...others }: ChatFields = message.fields ?? {}
  const fields: ChatFields = {
    ...others,
    ...(reasoning && { reasoning_content: marker }),
    ...(calls && { tool_calls: calls.map((call) => markedCall(call, () => marker)) }),
  }
  return { ...message, content: marker, fields }
}

/** A call of a tool with another name, whether or not it is wrapped as OpenAI's are. */
function markedCall(call: unknown, rename: (name: string) => string): unknown {
  if (!isRecord(call)) return call
  const inner = call['function']
  if (isRecord(inner)) return { ...call, function: markedCall(inner, rename) }
  return isText(call['name']) ? { ...call, name: rename(call['name']) } : call
}

/** A text with a marker where templates do not look: before the last character that is no space, and within. */
function markedTexts(content: string, marker: string): string[] {
  const last = content.trimEnd().length - 1
  const first = content.length - content.trimStart().length
  const inside = [1 / 2, 3 / 4, 1 / 4, 7 / 8, 1 / 8].map((part) => Math.round(first + part * (last - first)))
  const places = [last, ...inside, first + 1, first].map((place) => Math.max(0, place))
  // Not between the halves of a surrogate pair.
  const apart = places.map((place) => (/[\uDC00-\uDFFF]/.test(content.charAt(place)) ? place - 1 : place))
  return [...new Set(apart)]
    .filter((place) => place >= 0)
    .map((place) => content.slice(0, place) + marker + content.slice(place))
}
