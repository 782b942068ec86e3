import type { KeyReader } from '../checkpoint/gguf/key-reader.ts'
import { SecateurError } from '../shared/errors.ts'
import { bytePair } from './gguf-byte-pair.ts'
import { dropsBlanksAfter } from './gguf-phi3.ts'
import { sentencePiece } from './gguf-sentence-piece.ts'
import { type GgufVocabulary, specialToken, tokenizerKey, vocabularyOf } from './gguf-vocabulary.ts'
import type { Component } from './tokenizer-json.ts'

const makers = new Map([
  ['llama', sentencePiece],
  ['gpt2', bytePair],
])

/** What llama.cpp's converters write where a model takes token ids alone. */
const withoutTokenizer: readonly string[] = ['none', 'no_vocab']

/**
 * tokenizer.json and tokenizer_config.json that give the ids of a GGUF file's tokenizer; nothing where it has none.
 *
 * @throws SecateurError naming the key that contradicts another, or says what is not supported
 */
export function ggufDocuments(keys: KeyReader): Record<string, unknown> {
  const field = tokenizerKey('model')
  const model = keys.text(field)
  if (model === undefined || withoutTokenizer.includes(model)) return {}
  const make = makers.get(model)
  if (!make) {
    const message = `is "${model}"; llama (SentencePiece) and gpt2 (byte-pair encoding) are read`
    throw new SecateurError('unsupported', message, { file: keys.path, field })
  }
  const vocabulary = vocabularyOf(keys)
  const token = (name: string) => specialToken(keys, name, vocabulary)
  const [bos, eos] = [token('bos_token_id'), token('eos_token_id')]
  const { json, addBos, unknown } = make(keys, vocabulary)
  const addsBos = keys.flag(tokenizerKey('add_bos_token')) ?? addBos
  const addsEos = keys.flag(tokenizerKey('add_eos_token')) ?? false
  const name = keys.text('general.name') ?? ''
  const template = keys.text('tokenizer.chat_template')
  return {
    'tokenizer.json': {
      version: '1.0',
      truncation: null,
      padding: null,
      ...json,
      added_tokens: json.added_tokens.map((added) => ({ ...added, rstrip: dropsBlanksAfter(name, added.content) })),
      post_processor: templateOf(addsBos ? bos : null, addsEos ? eos : null, vocabulary),
    },
    'tokenizer_config.json': {
      tokenizer_class: 'PreTrainedTokenizerFast',
      bos_token: bos,
      eos_token: eos,
      pad_token: token('padding_token_id'),
      unk_token: unknown,
      add_bos_token: addsBos,
      add_eos_token: addsEos,
      clean_up_tokenization_spaces: false,
      ...(template === undefined ? {} : { chat_template: template }),
    },
  }
}

const special = (token: string | null, type: number) =>
  token === null ? [] : [{ SpecialToken: { id: token, type_id: type } }]

/** Puts special tokens around a text; null where there are none to put. */
function templateOf(before: string | null, after: string | null, { tokens }: GgufVocabulary): Component | null {
  if (before === null && after === null) return null
  const part = (id: 'A' | 'B', type: number) => [
    ...special(before, type),
    { Sequence: { id, type_id: type } },
    ...special(after, type),
  ]
  const named = [before, after].filter((token) => token !== null)
  return {
    type: 'TemplateProcessing',
    single: part('A', 0),
    pair: [...part('A', 0), ...part('B', 1)],
    special_tokens: Object.fromEntries(named.map((id) => [id, { id, ids: [tokens.indexOf(id)], tokens: [id] }])),
  }
}
