import type { KeyReader } from '../checkpoint/gguf/key-reader.ts'
import { badFile } from '../shared/errors.ts'

/** The name of a tokenizer's key. */
export const tokenizerKey = (name: string) => `tokenizer.ggml.${name}`

/** Types of tokens by their numbers in `token_type`, which are SentencePiece's own, from 1 on. */
const tokenTypes = ['normal', 'unknown', 'control', 'user-defined', 'unused', 'byte'] as const
export type TokenType = (typeof tokenTypes)[number]

/** The vocabulary of a GGUF file: a token's place is its id. */
export interface GgufVocabulary {
  tokens: readonly string[]
  /** Of each token; all normal where the file does not say. */
  types: readonly TokenType[]
}

/** @throws SecateurError where lists are of different lengths, or two tokens are the same */
export function vocabularyOf(keys: KeyReader): GgufVocabulary {
  const field = tokenizerKey('tokens')
  const tokens = keys.needed(field, keys.texts(field))
  const seen = new Set<string>()
  for (const [id, token] of tokens.entries()) {
    if (token === '') throw badFile(keys.path, `${field}.${id}`, 'is empty')
    if (seen.has(token)) throw badFile(keys.path, `${field}.${id}`, `repeats the token '${token.slice(0, 40)}'`)
    seen.add(token)
  }
  const typeField = tokenizerKey('token_type')
  const numbers = keys.integers(typeField, { least: 1, most: tokenTypes.length })
  if (numbers && numbers.length !== tokens.length)
    throw badFile(keys.path, typeField, `has ${numbers.length} entries for ${tokens.length} tokens`)
  return { tokens, types: tokens.map((_, id) => tokenTypes[(numbers?.[id] ?? 1) - 1]!) }
}

/** A token that a key names by its id; null where no key does. @throws SecateurError where there is no such token */
export function specialToken(keys: KeyReader, name: string, { tokens }: GgufVocabulary): string | null {
  const id = keys.integer(tokenizerKey(name))
  // llama.cpp writes the largest number where there is none.
  if (id === undefined || id === 0xffffffff) return null
  const token = tokens[id]
  if (token === undefined)
    throw badFile(keys.path, tokenizerKey(name), `is ${id}, but there are ${tokens.length} tokens`)
  return token
}
