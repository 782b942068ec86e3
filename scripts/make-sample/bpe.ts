/** Byte-level byte-pair encoding (Sennrich et al. 2016; byte alphabet and word pattern of GPT-2): learning the merges. */

/** GPT-2's pattern of words, which Hugging Face's ByteLevel pre-tokenizer applies. */
const wordPattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu

/** GPT-2's letter for each byte: bytes that print stand for themselves, the others for letters from U+0100 on. */
export const byteLetters: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte).map((byte) =>
  isPrintable(byte) ? String.fromCharCode(byte) : String.fromCharCode(256 + hiddenBefore(byte)),
)

/**
 * Learns `count` merges, in the order in which they apply: each joins the pair that is then most frequent within words; the first in the order of UTF-16
 * units among equals. Throws RangeError where the text is too small for that many.
 */
export function learnMerges(texts: Iterable<string>, count: number): (readonly [string, string])[] {
  const words = countWords(texts)
  const merges: [string, string][] = []
  while (merges.length < count) {
    const pair = mostFrequentPair(words)
    if (!pair) throw new RangeError(`the text gives ${merges.length} merges only, not ${count}`)
    merges.push(pair)
    for (const word of words) join(word.tokens, pair)
  }
  return merges
}

interface Word {
  readonly tokens: string[]
  readonly count: number
}

function countWords(texts: Iterable<string>): Word[] {
  const counts = new Map<string, number>()
  for (const text of texts) {
    for (const [word] of text.matchAll(wordPattern)) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  const encoder = new TextEncoder()
  return Array.from(counts, ([word, count]) => ({
    tokens: Array.from(encoder.encode(word), (byte) => byteLetters[byte]!),
    count,
  }))
}

function mostFrequentPair(words: readonly Word[]): [string, string] | null {
  const counts = new Map<string, number>()
  for (const { tokens, count } of words) {
    for (let index = 1; index < tokens.length; index++) {
      const pair = `${tokens[index - 1]!} ${tokens[index]!}`
      counts.set(pair, (counts.get(pair) ?? 0) + count)
    }
  }
  let best = ''
  for (const [pair, count] of counts) {
    const bestCount = counts.get(best) ?? 0
    if (count > bestCount || (count === bestCount && pair < best)) best = pair
  }
  const [left, right] = best.split(' ')
  return left !== undefined && right !== undefined ? [left, right] : null
}

function join(tokens: string[], [left, right]: readonly [string, string]): void {
  for (let index = tokens.length - 1; index > 0; index--) {
    if (tokens[index - 1] === left && tokens[index] === right) tokens.splice(index - 1, 2, left + right)
  }
}

function isPrintable(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
}

function hiddenBefore(byte: number): number {
  let hidden = 0
  for (let other = 0; other < byte; other++) if (!isPrintable(other)) hidden++
  return hidden
}
