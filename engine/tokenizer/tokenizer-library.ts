import { Tokenizer } from '@huggingface/tokenizers'

/** Words of a text; `section_index` counts the parts between special tokens. */
export type PreTokenize = (text: string, options: { section_index?: number }) => string[]

/**
 * What we use of `@huggingface/tokenizers`. Said here because its declarations import each other without file endings,
 * which TypeScript's NodeNext resolution does not follow: everything in them would count as `any`.
 */
export interface TokenizerLibrary {
  pre_tokenizer: PreTokenize | null
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] }
  /** Throws on an empty list. */
  decode(ids: number[], options: { skip_special_tokens: boolean }): string
  token_to_id(token: string): number | undefined
  id_to_token(id: number): string | undefined
}

/** Throws the library's own errors, for components that it does not know. */
export const openLibrary = (
  json: object,
  config: { additional_special_tokens: string[]; clean_up_tokenization_spaces: boolean },
): TokenizerLibrary => new Tokenizer(json, config) as TokenizerLibrary
