import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import { answerSpans, type RenderChat, type Span } from './answer-spans.ts'
import { commonPrefix } from './common-prefix.ts'
import { type Conversation, messagesOfQuestion } from './conversation.ts'
import type { EncodedExample } from './example.ts'
import type { Message } from './messages.ts'
import { refuse } from './row-values.ts'
import { refuseUnused } from './template-fields.ts'

export type { RenderChat } from './answer-spans.ts'

/** `every token`: marks of the data count for nothing, because nothing is learnt (calibration). */
export type TrainOn = 'answers' | 'everything' | 'every token'

/** A text and the stretches of it, in UTF-16 units from `start` to `end`, that are answers. */
export interface MarkedText {
  text: string
  answers: (Span & { train?: Message['train'] | undefined })[]
  /** Whether the tokenizer adds its own special tokens: false where a chat template has written them. */
  specialTokens: boolean
  /** Whether EOS follows the text. */
  endOfSequence: boolean
}

/**
 * The prompt of Stanford Alpaca (tatsu-lab/stanford_alpaca, train.py), character for character. The answer follows
 * "### Response:" directly, as there.
 */
export function alpacaPrompt(instruction: string, input = ''): string {
  return input === ''
    ? `${alpacaPreamble}### Instruction:\n${instruction}\n\n### Response:`
    : 'Below is an instruction that describes a task, paired with an input that provides further context. ' +
        'Write a response that appropriately completes the request.\n\n' +
        `### Instruction:\n${instruction}\n\n### Input:\n${input}\n\n### Response:`
}

const alpacaPreamble =
  'Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n'

/**
 * A conversation as token ids, with the loss on the answers (default) or on everything but the first token; never on an
 * answer that says of itself that it is not to be learnt.
 *
 * Where an answer begins among the tokens: the text before it is encoded alone, and so is the whole; the tokens that both
 * begin with are the prompt's, and everything from the first difference on is the answer's. So a token that a merge made
 * across the border counts as the answer's, and the prompt is tokenized as it will be when the model is asked. An answer
 * that is followed by more text ends likewise, before the first token that holds any of what follows.
 *
 * @throws ConversationError where a turn that is no answer says whether it is learnt
 */
export function encodeConversation(
  conversation: Conversation,
  tokenizer: Tokenizer,
  options: { renderChat?: RenderChat | undefined; trainOn?: TrainOn | undefined } = {},
): EncodedExample {
  const { trainOn = 'answers' } = options
  const everything = trainOn !== 'answers'
  const isMarked = trainOn !== 'every token'
  if (conversation.kind === 'messages' && isMarked) refuseOtherTurns(conversation.messages, everything)
  const marked = writeConversation(conversation, options.renderChat, tokenizer.eosToken)
  const encode = (text: string) => tokenizer.encode(text, { specialTokens: marked.specialTokens })
  const ids = encode(marked.text)
  const textTokens = ids.length
  if (marked.endOfSequence && tokenizer.eosId !== null) ids.push(tokenizer.eosId)

  const trained = new Uint8Array(ids.length)
  if (everything) trained.fill(1)
  for (const { start, end, train } of isMarked ? marked.answers : []) {
    if (everything ? train !== false : train !== undefined) continue
    const from = commonPrefix(encode(marked.text.slice(0, start)), ids, textTokens)
    const isLast = end === marked.text.length
    const to = isLast ? ids.length : commonPrefix(encode(marked.text.slice(0, end)), ids, textTokens)
    trained.fill(everything ? 0 : 1, from, to)
  }
  trained[0] = 0
  return { ids: Int32Array.from(ids), trained }
}

/** Where other turns than answers begin and end is not known, so that a wish of theirs is refused, not passed over. */
function refuseOtherTurns(messages: readonly Message[], everything: boolean) {
  for (const [index, { role, train }] of messages.entries()) {
    if (role === 'assistant' || train === undefined || train === everything) continue
    const learnt = everything ? 'everything is learnt but answers that say so' : 'only answers are learnt'
    refuse(
      `message ${index + 1} (${role})`,
      `asks ${train ? '' : 'not '}to be learnt, but ${learnt}; leave its weight out`,
    )
  }
}

/** A conversation's text by the chat template, or as Stanford Alpaca lays it out where there is none. */
export function writeConversation(
  conversation: Conversation,
  renderChat: RenderChat | undefined,
  eosToken: string | null,
): MarkedText {
  if (conversation.kind === 'completion') return follow(conversation.prompt, conversation.answer)
  const messages = conversation.kind === 'messages' ? conversation.messages : messagesOfQuestion(conversation)
  const tools = conversation.kind === 'messages' ? conversation.tools : undefined
  const render: RenderChat = (turns, options) => renderChat?.(turns, { tools, ...options }) ?? null
  const rendered = render(messages)
  refuseUnused(rendered, messages, tools, renderChat ?? (() => null))
  if (rendered !== null) return markRendered(rendered, messages, render, eosToken)
  return conversation.kind === 'question'
    ? follow(alpacaPrompt(conversation.instruction, conversation.input), conversation.answer)
    : writeTurns(conversation.messages)
}

const follow = (prompt: string, answer: string): MarkedText => ({
  text: prompt + answer,
  answers: [{ start: prompt.length, end: prompt.length + answer.length }],
  specialTokens: true,
  endOfSequence: true,
})

/** A rendered chat, with its answers. */
function markRendered(
  text: string,
  messages: readonly Message[],
  renderChat: RenderChat,
  eosToken: string | null,
): MarkedText {
  const answers = answerSpans(text, messages, renderChat).map(({ start, end, message }) => ({
    start,
    end: Math.max(start, endOfAnswer(text, start, end, eosToken)),
    train: message.train,
  }))
  const last = answers.at(-1)
  const isClosed = eosToken !== null && last !== undefined && text.slice(last.start).trimEnd().endsWith(eosToken)
  return { text, answers, specialTokens: false, endOfSequence: !isClosed }
}

/** A model stops at EOS: a line break that a template writes behind it is not to be learnt. */
function endOfAnswer(text: string, start: number, end: number, eosToken: string | null): number {
  const trimmed = text.slice(start, end).trimEnd()
  return eosToken !== null && trimmed.endsWith(eosToken) ? start + trimmed.length : end
}

/** Several turns in the manner of Alpaca's prompt; a system message takes the place of its first sentences. */
function writeTurns(messages: readonly Message[]): MarkedText {
  const answers: MarkedText['answers'] = []
  let text = messages[0]?.role === 'system' ? '' : alpacaPreamble
  for (const { role, content, train } of messages) {
    if (role === 'assistant') {
      text += '### Response:'
      answers.push({ start: text.length, end: text.length + content.length, train })
    } else if (role !== 'system') text += role === 'user' ? '### Instruction:\n' : `### ${role}:\n`
    text += `${content}\n\n`
  }
  text = text.slice(0, -2)
  return { text, answers, specialTokens: true, endOfSequence: messages.at(-1)?.role === 'assistant' }
}
