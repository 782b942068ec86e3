/** What chat templates read of a message besides its role and its text, as the chat template API names it. */
export interface ChatFields {
  /** Null where the message has no text: templates are not shown any, as transformers does. */
  content?: null
  reasoning_content?: string
  tool_calls?: readonly unknown[]
  name?: string
  tool_call_id?: string
}

export interface ChatMessage {
  role: string
  content: string
  fields?: ChatFields
}

export interface ChatOptions {
  addGenerationPrompt?: boolean
  /** JSON schemas of the tools that the model may call. */
  tools?: readonly unknown[] | undefined
}

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
  chat(messages: readonly ChatMessage[], options?: ChatOptions): string | null
}
