import type { Tokenizer } from '../../../engine/tokenizer/tokenizer-type.ts'

/** Tokens of several characters: the first one merges across the border between Alpaca's prompt and an answer. */
const words = ['<s>', '</s>', '<|im_start|>', '<|im_end|>', ':M', 'th']

/** A tokenizer that a reader can run by hand: the words above, longest first, and bytes; BOS in front. */
export function byteTokenizer(chat: Tokenizer['chat'] = () => null, eosId = 1): Tokenizer {
  const encodeBytes = (text: string) => Array.from(Buffer.from(text), (byte) => words.length + byte)
  return {
    vocabularySize: words.length + 256,
    bosId: 0,
    eosId,
    padId: null,
    bosToken: words[0]!,
    eosToken: words[eosId]!,
    encode(text, { specialTokens = true } = {}) {
      const ids = text
        .split(/(<s>|<\/s>|<\|im_start\|>|<\|im_end\|>|:M|th)/)
        .flatMap((part) => (words.includes(part) ? [words.indexOf(part)] : encodeBytes(part)))
      return specialTokens && ids[0] !== 0 ? [0, ...ids] : ids
    },
    decode(ids, { keepSpecialTokens = false } = {}) {
      const pieces = ids.map((id) =>
        id >= words.length
          ? Buffer.from([id - words.length])
          : Buffer.from(id < 4 && !keepSpecialTokens ? '' : words[id]!),
      )
      return Buffer.concat(pieces).toString()
    },
    token: (id) => words[id] ?? String.fromCharCode(id - words.length),
    chat,
  }
}

/** ChatML as Qwen writes it. */
export const chatMl: Tokenizer['chat'] = (messages, options) =>
  messages.map(({ role, content }) => `<|im_start|>${role}\n${content}<|im_end|>\n`).join('') +
  (options?.addGenerationPrompt ? '<|im_start|>assistant\n' : '')
