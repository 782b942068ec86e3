import type { KeyReader } from '../checkpoint/gguf/key-reader.ts'
import { badFile } from '../shared/errors.ts'
import type { GgufTokenizer } from './gguf-byte-pair.ts'
import { type GgufVocabulary, specialToken, tokenizerKey } from './gguf-vocabulary.ts'
import { convertSentencePiece } from './sentencepiece-convert.ts'
import { checkPieces } from './sentencepiece-model.ts'

/** A SentencePiece tokenizer of byte pairs (`llama`): a score for each token, by which merges are ordered. */
export function sentencePiece(keys: KeyReader, vocabulary: GgufVocabulary): GgufTokenizer {
  const { tokens, types } = vocabulary
  const field = tokenizerKey('scores')
  const scores = keys.needed(field, keys.numbers(field))
  if (scores.length !== tokens.length)
    throw badFile(keys.path, field, `has ${scores.length} entries for ${tokens.length} tokens`)
  const pieces = tokens.map((piece, id) => ({ piece, score: scores[id]!, type: types[id]! }))
  checkPieces(keys.path, pieces, tokenizerKey('tokens'))
  const unknown = specialToken(keys, 'unknown_token_id', vocabulary) ?? tokens[types.indexOf('unknown')] ?? null
  const { post_processor: _, ...json } = convertSentencePiece({
    pieces,
    trainer_spec: {
      byte_fallback: types.includes('byte'),
      unk_id: unknown === null ? -1 : tokens.indexOf(unknown),
    },
    normalizer_spec: {
      precompiled_charsmap: new Uint8Array(),
      add_dummy_prefix: keys.flag(tokenizerKey('add_space_prefix')) ?? true,
      remove_extra_whitespaces: keys.flag(tokenizerKey('remove_extra_whitespaces')) ?? false,
      escape_whitespaces: true,
    },
  })
  return { json, addBos: true, unknown }
}
