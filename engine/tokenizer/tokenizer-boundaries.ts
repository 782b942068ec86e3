import type { PreTokenize } from './tokenizer-library.ts'

/**
 * A pre-tokenizer that divides what another returns (or the text, where there is none) at places that no merge can cross.
 * A merge over a place makes a token in which the characters on both sides stand side by side; where no token holds that
 * pair of UTF-16 units, the parts can be encoded one by one with the same result. Without this a text in a tokenizer that
 * has no pre-tokenizer (Llama 1 and 2) is one word, nothing of which is found in the library's cache of words.
 */
export function splitAtBoundaries(inner: PreTokenize | null, tokens: Iterable<string>): PreTokenize {
  const pairs = adjacentPairs(tokens)
  return (text, options) => {
    const words = inner === null ? [text] : inner(text, options)
    return words.flatMap((word) => divide(word, pairs))
  }
}

function divide(word: string, pairs: ReadonlySet<number>): string[] {
  const parts: string[] = []
  let start = 0
  for (let end = 1; end < word.length; end++) {
    const next = word.charCodeAt(end)
    if (isLowSurrogate(next) || pairs.has(pairKey(word.charCodeAt(end - 1), next))) continue
    parts.push(word.slice(start, end))
    start = end
  }
  parts.push(word.slice(start))
  return parts
}

const isLowSurrogate = (unit: number) => unit >= 0xdc00 && unit <= 0xdfff
const pairKey = (left: number, right: number) => left * 0x10000 + right

function adjacentPairs(tokens: Iterable<string>): Set<number> {
  const pairs = new Set<number>()
  for (const token of tokens) {
    for (let end = 1; end < token.length; end++) pairs.add(pairKey(token.charCodeAt(end - 1), token.charCodeAt(end)))
  }
  return pairs
}
