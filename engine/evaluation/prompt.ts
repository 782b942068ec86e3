import { badSetting } from '../shared/errors.ts'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'

/** Ids of a prompt; of an empty one, the token that starts every text. */
export function encodePrompt(tokenizer: Tokenizer, text: string): number[] {
  const ids = tokenizer.encode(text)
  return ids.length === 0 && tokenizer.bosId !== null ? [tokenizer.bosId] : ids
}

/** @throws SecateurError where the prompt is empty or does not fit the model's positions */
export function checkPrompt(ids: readonly number[], maxPositions: number): void {
  if (ids.length === 0) throw badSetting('prompt', 'it is empty, and the tokenizer has no token to start with')
  if (ids.length >= maxPositions)
    throw badSetting('prompt', `${ids.length} tokens do not leave room in the model's ${maxPositions} positions`)
}
