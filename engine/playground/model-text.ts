import type { WritingInput, WritingSettings, Written, WrittenPiece } from '../contract/index.ts'
import { checkPrompt, encodePrompt } from '../evaluation/prompt.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { stopIdsOf } from '../models/stop-ids.ts'
import { badFile, badSetting } from '../shared/errors.ts'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import type { LikelyToken } from './log-probabilities.ts'
import { TextStream, type TokenFacts } from './text-stream.ts'

/** How a question becomes token ids and tokens become text, whatever runs the model. */
export class ModelText {
  readonly #checkpoint: Checkpoint
  readonly #tokenizer: Tokenizer

  constructor(checkpoint: Checkpoint, tokenizer: Tokenizer) {
    this.#checkpoint = checkpoint
    this.#tokenizer = tokenizer
  }

  /** Whether there is a template of chats. One that refuses this conversation is one all the same. */
  get hasTemplate(): boolean {
    try {
      return this.#tokenizer.chat([{ role: 'user', content: 'a' }], { addGenerationPrompt: true }) !== null
    } catch {
      return true
    }
  }

  /** @throws SecateurError where the input is empty, too long or no chat that the template takes */
  encode(input: WritingInput): number[] {
    const ids = this.#idsOf(input)
    checkPrompt(ids, this.#checkpoint.config.maxPositions)
    return ids
  }

  #idsOf(input: WritingInput): number[] {
    if ('prompt' in input) return encodePrompt(this.#tokenizer, input.prompt)
    if (input.messages.at(-1)!.role !== 'user') throw badSetting('messages', 'the last one must be of the user')
    const text = this.#tokenizer.chat(input.messages, { addGenerationPrompt: true })
    if (text === null)
      throw badFile(
        this.#checkpoint.folder,
        'chat_template',
        'is not there: this checkpoint was not made for chats, so give it a prompt to continue instead',
      )
    // The template has written the special tokens.
    return this.#tokenizer.encode(text, { specialTokens: false })
  }

  /** A turn of a chat may end with the tokenizer's own token where config.json names another. */
  stopIds(input: WritingInput): number[] {
    const { eosId } = this.#tokenizer
    return [...stopIdsOf(this.#checkpoint), ...('messages' in input && eosId !== null ? [eosId] : [])]
  }

  /** New tokens that there is room for. */
  limit(prompt: readonly number[], { maxNewTokens }: WritingSettings): number {
    return Math.min(maxNewTokens, this.#checkpoint.config.maxPositions - prompt.length)
  }

  stream(prompt: readonly number[], stops: readonly string[], onPiece: (piece: WrittenPiece) => void): TextStream {
    const decode = (ids: readonly number[]) => this.#tokenizer.decode(ids)
    return new TextStream(prompt, { decode, stops }, onPiece)
  }

  /** What is told of a token that comes next. */
  facts(told: { logProbability: number; likeliest: readonly LikelyToken[] }, stream: TextStream): TokenFacts {
    const alternatives = told.likeliest.map((each) => ({
      text: this.#shown(stream.preview(each.id), each.id),
      logProbability: each.logProbability,
    }))
    return { logProbability: told.logProbability, alternatives }
  }

  /** A special token has no text, and one of some bytes of a character none that can be read: they are named instead. */
  #shown(text: string, id: number): string {
    return text === '' || text.includes('\uFFFD') ? this.#tokenizer.token(id) : text
  }

  /** @param tokens that were written */
  ended(stream: TextStream, tokens: number, prompt: readonly number[], settings: WritingSettings): Written['ended'] {
    if (stream.stopped) return 'text'
    const limit = this.limit(prompt, settings)
    if (tokens < limit) return 'token'
    return limit < settings.maxNewTokens ? 'positions' : 'limit'
  }
}
