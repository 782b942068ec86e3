import type { KeyReader } from '../checkpoint/gguf/key-reader.ts'
import { badFile, SecateurError } from '../shared/errors.ts'
import { preTokenizers } from './gguf-pre-tokenizers.ts'
import { type GgufVocabulary, tokenizerKey } from './gguf-vocabulary.ts'
import { addedToken } from './sentencepiece-convert.ts'
import type { TokenizerJson } from './tokenizer-json.ts'

/** What one kind of tokenizer gives for tokenizer.json, and what holds where keys do not say. */
export interface GgufTokenizer {
  json: Omit<TokenizerJson, 'post_processor'>
  addBos: boolean
  /** The token for what no other token stands for; null where bytes stand for everything. */
  unknown: string | null
}

/** A byte-level tokenizer (`gpt2`): merges in order, and a name for how texts are cut before. */
export function bytePair(keys: KeyReader, { tokens, types }: GgufVocabulary): GgufTokenizer {
  const field = tokenizerKey('pre')
  const name = keys.text(field)
  const pre = name !== undefined && Object.hasOwn(preTokenizers, name) ? preTokenizers[name] : undefined
  if (!pre) {
    const is =
      name === undefined
        ? 'is missing, as in files of before May 2024: how texts are cut is not known; convert the model again'
        : `is "${name}"; known are ${Object.keys(preTokenizers).join(', ')}`
    throw new SecateurError('unsupported', is, { file: keys.path, field })
  }
  const ids = [...tokens.keys()]
  const added = ids.filter((id) => ['control', 'user-defined', 'unknown'].includes(types[id]!))
  return {
    json: {
      added_tokens: added.map((id) => addedToken(id, tokens[id]!, types[id] !== 'user-defined')),
      normalizer: pre.normalizer,
      pre_tokenizer: pre.preTokenizer,
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: pre.ignoreMerges,
        // Rows of the embedding without a token have names that no text must be found by.
        vocab: Object.fromEntries(ids.filter((id) => types[id] !== 'unused').map((id) => [tokens[id]!, id])),
        merges: mergesOf(keys),
      },
    },
    addBos: pre.addBos,
    unknown: null,
  }
}

function mergesOf(keys: KeyReader): [string, string][] {
  const field = tokenizerKey('merges')
  return keys.needed(field, keys.texts(field)).map((merge, index) => {
    // The first token may itself be a blank.
    const blank = merge.indexOf(' ', 1)
    if (blank < 0 || blank === merge.length - 1)
      throw badFile(
        keys.path,
        `${field}.${index}`,
        `is '${merge.slice(0, 40)}'; it must be two tokens with a blank between`,
      )
    return [merge.slice(0, blank), merge.slice(blank + 1)]
  })
}
