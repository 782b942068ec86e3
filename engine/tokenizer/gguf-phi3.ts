/**
 * A GGUF file has no key for it that a tokenizer drops the blanks which follow special tokens, as Phi-3's does. llama.cpp
 * goes by `general.name` (llama-vocab.cpp): if "phi-3" or "phi3" is in it, blanks are dropped after all tokens that are no
 * ordinary ones, but for three, and the file is not loaded if one of these or "</s>" is missing.
 */
const pattern = /phi-?3/gi
const keeping: readonly string[] = ['<unk>', '<s>', '<|endoftext|>']

/** Whether blanks after a token are dropped in a model of this name. */
export const dropsBlanksAfter = (name: string, token: string): boolean =>
  name.search(pattern) >= 0 && !keeping.includes(token)

/**
 * A name with which llama.cpp loads the file, and treats blanks as its tokenizer does.
 *
 * @param tokenizer null where the file has none
 */
export function nameFor(name: string, tokenizer: { tokens: readonly string[]; dropsBlanks: boolean } | null): string {
  if (tokenizer === null) return name
  const tokens = new Set(tokenizer.tokens)
  if (!tokenizer.dropsBlanks || ![...keeping, '</s>'].every((token) => tokens.has(token)))
    return name.replaceAll(pattern, 'Phi 3')
  return name.search(pattern) >= 0 ? name : `Phi-3 ${name}`
}
