import { SecateurError } from '../shared/errors.ts'
import { commonPrefix } from './common-prefix.ts'
import type { ChatMessage, ChatOptions } from '../tokenizer/tokenizer-type.ts'
import { allMarked, markedMessages } from './marked-messages.ts'
import type { Message } from './messages.ts'
import { ConversationError } from './row-values.ts'

/** Text of a conversation by a model's chat template; null where there is no template. */
export type RenderChat = (messages: readonly ChatMessage[], options?: ChatOptions) => string | null

/** A stretch of a text in UTF-16 units. */
export interface Span {
  start: number
  end: number
}

/**
 * Where the answers are in a conversation that a chat template has rendered: from the end of the opening that the template
 * gives to a model that is to answer, to the end of what closes the answer.
 *
 * Rendering the messages up to a point gives the place, as long as the template writes those messages the same way when
 * more follow. Where it does not (Qwen3 leaves the reasoning of earlier turns out), the place is told from a marker: the
 * whole conversation and its beginning are rendered once more with a marker inside a message, and what follows the marker
 * in the beginning is laid beside what follows it in the whole.
 *
 * @throws ConversationError where the template changes a message so that no marker stays in it
 */
export function answerSpans(
  text: string,
  messages: readonly Message[],
  renderChat: RenderChat,
): (Span & { message: Message })[] {
  const rendering = new MarkedRendering(text, messages, renderChat)
  return messages.flatMap((message, index) => {
    if (message.role !== 'assistant' || rendering.isLeftOut(index)) return []
    const start = rendering.endOf(index, { addGenerationPrompt: true })
    const end = index === messages.length - 1 ? text.length : rendering.endOf(index + 1)
    return [{ start, end: Math.max(start, end), message }]
  })
}

/** A marker in a message, and where it stands in the whole conversation. */
interface Anchor {
  marked: Message
  position: number
}

class MarkedRendering {
  readonly #text: string
  readonly #messages: readonly Message[]
  readonly #renderChat: RenderChat
  readonly #marker: string
  readonly #anchors = new Map<number, Anchor | null>()

  constructor(text: string, messages: readonly Message[], renderChat: RenderChat) {
    this.#text = text
    this.#messages = messages
    this.#renderChat = renderChat
    // Digits, because templates strip, escape and change the case of other characters.
    let number = 7_305_829_164
    while (text.includes(String(number))) number++
    this.#marker = String(number)
  }

  /** Whether the template writes nothing of a message, as some do with all but the last turns. */
  isLeftOut(index: number): boolean {
    // Nothing that is written as it is at the end of a conversation is left out.
    const last = index === this.#messages.length - 1
    if (last || this.#text.startsWith(this.#renderChat(this.#messages.slice(0, index + 1)) ?? '')) return false
    const before = this.#messages.slice(0, index)
    const after = this.#messages.slice(index + 1)
    const marked = allMarked(this.#messages[index]!, this.#marker)
    return this.#tryRender([...before, marked, ...after])?.includes(this.#marker) === false
  }

  /**
   * Where the first `count` messages end in the text; with the generation prompt, where the opening of the answer ends
   * that follows them.
   */
  endOf(count: number, options: { addGenerationPrompt?: boolean } = {}): number {
    const beginning = this.#messages.slice(0, count)
    const rendered = count === 0 ? this.#tryRender(beginning, options) : this.#renderChat(beginning, options)
    if (rendered !== null && this.#text.startsWith(rendered)) return rendered.length
    // Nothing is in front of a first answer that could be written in another way.
    if (count === 0) return commonPrefix(rendered ?? '', this.#text)
    const { marked, position } = this.#anchor(count - 1)
    const withMarker = this.#renderChat([...beginning.slice(0, -1), marked], options) ?? ''
    const at = withMarker.lastIndexOf(this.#marker)
    if (at < 0) throw this.#unclear(count - 1)
    const common = commonPrefix(withMarker.slice(at + this.#marker.length), this.#text.slice(position))
    if (options.addGenerationPrompt) return position + common
    // A line break behind what closes a message parts it from the next one.
    return position + this.#text.slice(position, position + common).trimEnd().length
  }

  /** A marker that changes nothing else of the text: templates look at how contents begin and end, and at tags in them. */
  #anchor(index: number): Anchor {
    let anchor = this.#anchors.get(index)
    if (anchor === undefined) {
      anchor = this.#findAnchor(index)
      this.#anchors.set(index, anchor)
    }
    if (anchor === null) throw this.#unclear(index)
    return anchor
  }

  #findAnchor(index: number): Anchor | null {
    const message = this.#messages[index]!
    for (const marked of markedMessages(message, this.#marker)) {
      const rendered = this.#tryRender(this.#messages.with(index, marked))
      if (rendered === null) continue
      const position = rendered.lastIndexOf(this.#marker)
      if (position >= 0 && rendered.replaceAll(this.#marker, '') === this.#text) {
        const earlier = rendered.slice(0, position).split(this.#marker).length - 1
        return { marked, position: position - earlier * this.#marker.length }
      }
    }
    return null
  }

  /** A conversation that a template may refuse. */
  #tryRender(messages: readonly Message[], options?: { addGenerationPrompt?: boolean }): string | null {
    try {
      return this.#renderChat(messages, options)
    } catch (error) {
      if (error instanceof SecateurError && error.kind !== 'interrupted') return null
      throw error
    }
  }

  #unclear(index: number): ConversationError {
    return new ConversationError(
      `message ${index + 1}: the chat template writes it so that the answer cannot be told from the rest; make a conversation of each answer`,
    )
  }
}
