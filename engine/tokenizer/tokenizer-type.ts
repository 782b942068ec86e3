/** What the engine needs of a tokenizer. */
export interface Tokenizer {
  readonly vocabularySize: number
  readonly bosId: number | null
  readonly eosId: number | null
  readonly padId: number | null
  /** Text of the special token that starts a sequence, such as "<s>". */
  readonly bosToken: string | null
  readonly eosToken: string | null
  /**
   * Ids of a text. With `specialTokens` (default true) the tokenizer's own template applies (Llama: BOS in front); a text
   * that itself starts with the BOS string does not get a second one.
   */
  encode(text: string, options?: { specialTokens?: boolean }): number[]
  /** Text of ids; special tokens are left out unless `keepSpecialTokens`. */
  decode(ids: readonly number[], options?: { keepSpecialTokens?: boolean }): string
  /** The token of one id as it stands in the vocabulary, for display. */
  token(id: number): string
  /** Text of a conversation by the tokenizer's own chat template, or null where it has none. */
  chat(
    messages: readonly { role: string; content: string }[],
    options?: { addGenerationPrompt?: boolean },
  ): string | null
}
