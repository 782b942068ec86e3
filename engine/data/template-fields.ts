import { SecateurError } from '../shared/errors.ts'
import type { ChatFields, ChatMessage, ChatOptions } from '../tokenizer/tokenizer-type.ts'
import type { RenderChat } from './answer-spans.ts'
import { refuse } from './row-values.ts'

/** What a row may say that only some chat templates show to the model, and where else it could be written. */
const remedies = {
  tool_calls: 'write them into the content, as the model writes them',
  reasoning_content: 'write it into the content, as the model writes it',
  tools: 'write them into a system message, as the model reads them',
} as const

/**
 * Refuses what a row says and its text does not hold, because the checkpoint's chat template passes over it, or there is
 * none. A template uses a field where a text differs without it: that of the conversation, or that of the message alone
 * behind a question, since some templates leave out what earlier turns held.
 *
 * @param text the conversation as it is rendered; null where there is no template
 * @throws ConversationError that names the field
 */
export function refuseUnused(
  text: string | null,
  messages: readonly ChatMessage[],
  tools: readonly unknown[] | undefined,
  renderChat: RenderChat,
): void {
  const render = (turns: readonly ChatMessage[], options: ChatOptions) => {
    try {
      return renderChat(turns, options)
    } catch (error) {
      // A template that refuses the rest without it uses it.
      if (error instanceof SecateurError) return undefined
      throw error
    }
  }
  if (tools && (text === null || render(messages, {}) === text)) refuse('tools', unused('tools', text))
  for (const field of ['tool_calls', 'reasoning_content'] as const) {
    const place = messages.findLastIndex(({ fields }) => Boolean(fields?.[field]?.length))
    if (place < 0) continue
    const where = `message ${place + 1} (${messages[place]!.role})`
    if (text === null) refuse(where, `holds ${field}, ${unused(field, text)}`)
    if (
      render(
        messages.map((message) => without(message, field)),
        { tools },
      ) !== text
    )
      continue
    const alone = [{ role: 'user', content: 'Q' }, messages[place]!]
    if (render(alone, { tools }) === render([alone[0]!, without(alone[1]!, field)], { tools }))
      refuse(where, `holds ${field}, ${unused(field, text)}`)
  }
}

const unused = (field: keyof typeof remedies, text: string | null) =>
  `which ${text === null ? 'only a chat template could show, and this checkpoint has none' : "this checkpoint's chat template does not show to the model"}: ${remedies[field]}, or leave ${field === 'reasoning_content' ? 'it' : 'them'} out`

function without(message: ChatMessage, field: 'tool_calls' | 'reasoning_content'): ChatMessage {
  const { [field]: _, ...fields }: ChatFields = message.fields ?? {}
  return { ...message, fields }
}
