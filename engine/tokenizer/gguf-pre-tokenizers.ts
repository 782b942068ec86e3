import type { Component } from './tokenizer-json.ts'

/** What `tokenizer.ggml.pre` stands for: how a text is cut before its bytes are paired, as the models' own files have it. */
export interface PreTokenizer {
  normalizer: Component | null
  preTokenizer: Component
  /** Whether a word that is a token stays one, whatever merges say. */
  ignoreMerges: boolean
  /** Whether llama.cpp puts the start token in front where no key says so. */
  addBos: boolean
}

const byteLevel = (useRegex: boolean) => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
})
const sequence = (...pretokenizers: Component[]) => ({ type: 'Sequence', pretokenizers })
const split = (regex: string) =>
  sequence({ type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false }, byteLevel(false))

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const rest = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'
/** The expression of GPT-4's cl100k, with runs of at most so many digits. */
const cl100k = (digits: string) =>
  `${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${rest}`
/** The expression of GPT-4o's o200k, which also cuts where small letters end. */
const o200k = (ending: string, digits: string) => {
  const [large, small] = ['[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]', '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]']
  const before = '[^\\r\\n\\p{L}\\p{N}]?'
  const words = `${before}${large}*${small}+${ending}|${before}${large}+${small}*${ending}`
  return `${words}|\\p{N}${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${rest}`
}

const plain = { normalizer: null, ignoreMerges: false, addBos: false }
const gpt2 = { ...plain, preTokenizer: byteLevel(true) }
const llama3 = { ...plain, preTokenizer: split(cl100k('{1,3}')), ignoreMerges: true, addBos: true }
const qwen = { ...plain, preTokenizer: split(cl100k('')) }

/** By the names that llama.cpp's converter writes. */
export const preTokenizers: Readonly<Record<string, PreTokenizer>> = {
  'gpt-2': gpt2,
  'llama-bpe': llama3,
  'llama-v3': llama3,
  llama3,
  'smaug-bpe': { ...llama3, ignoreMerges: false, addBos: false },
  qwen2: { ...qwen, normalizer: { type: 'NFC' } },
  'deepseek-r1-qwen': qwen,
  smollm: { ...plain, preTokenizer: sequence({ type: 'Digits', individual_digits: true }, byteLevel(true)) },
  tekken: { ...plain, preTokenizer: split(o200k('', '')), ignoreMerges: true, addBos: true },
  'gpt-4o': { ...plain, preTokenizer: split(o200k(`${contractions}?`, '{1,3}')) },
}
