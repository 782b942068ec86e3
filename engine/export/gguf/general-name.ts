/** Tokens that llama.cpp looks for in a model of this name; where one is missing it does not load the file. */
const wantedTokens = ['</s>', '<unk>', '<s>', '<|endoftext|>'] as const
const phi3 = /phi-?3/i

/**
 * `general.name` of a file. It is more than a label: a name with "phi-3" or "phi3" in it makes llama.cpp drop the blanks that
 * follow special tokens, as Phi-3's tokenizer does (llama-vocab.cpp; there is no key for it). So the name has it where the
 * tokenizer does that, and has it not where the tokenizer does not.
 *
 * @param tokenizer null where the file has none
 */
export function generalName(
  checkpoint: string,
  tokenizer: { tokens: readonly string[]; dropsBlanks: boolean } | null,
): string {
  if (tokenizer === null) return checkpoint
  const tokens = new Set(tokenizer.tokens)
  if (!tokenizer.dropsBlanks || !wantedTokens.every((token) => tokens.has(token)))
    return checkpoint.replaceAll(new RegExp(phi3, 'gi'), 'Phi 3')
  return phi3.test(checkpoint) ? checkpoint : `Phi-3 ${checkpoint}`
}
