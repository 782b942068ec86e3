import type { Piece, SentencePieceModel } from './sentencepiece-model.ts'
import type { AddedToken, TokenizerJson } from './tokenizer-json.ts'

/** U+2581, which SentencePiece writes for a blank. */
export const metaspace = '\u2581'

/** What of a model decides how a text is segmented. */
export interface SegmentingModel {
  pieces: readonly Piece[]
  trainer_spec: Pick<SentencePieceModel['trainer_spec'], 'byte_fallback' | 'unk_id'>
  normalizer_spec: Omit<SentencePieceModel['normalizer_spec'], 'name'>
}

/**
 * The tokenizer.json that gives the ids of a SentencePiece byte-pair model, as transformers' converter makes it. Control
 * and unknown pieces become special tokens; user-defined symbols are cut out of the text before it is normalised.
 */
export function convertSentencePiece(model: SegmentingModel): TokenizerJson {
  const { pieces, trainer_spec } = model
  const unknown = pieces[trainer_spec.unk_id]?.piece ?? null
  return {
    added_tokens: pieces.flatMap(({ piece, type }, id) =>
      type === 'normal' || type === 'byte' || type === 'unused' ? [] : [addedToken(id, piece, type !== 'user-defined')],
    ),
    normalizer: normalizerOf(model),
    pre_tokenizer: null,
    post_processor: null,
    decoder: decoderOf(model),
    model: {
      type: 'BPE',
      unk_token: unknown,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: trainer_spec.byte_fallback,
      ignore_merges: false,
      vocab: Object.fromEntries(pieces.map(({ piece }, id) => [piece, id])),
      merges: mergesOf(pieces),
    },
  }
}

/** An added token that matches its own text exactly. */
export const addedToken = (id: number, content: string, special: boolean): AddedToken => ({
  id,
  content,
  special,
  lstrip: false,
  rstrip: false,
  normalized: false,
  single_word: false,
})

const replace = (pattern: { Regex: string } | { String: string }, content: string) => ({
  type: 'Replace',
  pattern,
  content,
})

function normalizerOf({ normalizer_spec: normalizer }: SegmentingModel) {
  const blank = normalizer.escape_whitespaces ? metaspace : ' '
  return {
    type: 'Sequence',
    normalizers: [
      ...(normalizer.precompiled_charsmap.length > 0 ? [{ type: 'Precompiled', precompiled_charsmap: null }] : []),
      ...(normalizer.remove_extra_whitespaces
        ? [replace({ Regex: ' {2,}' }, ' '), replace({ Regex: '\\A | \\z' }, '')]
        : []),
      ...(normalizer.add_dummy_prefix ? [{ type: 'Prepend', prepend: blank }] : []),
      ...(normalizer.escape_whitespaces ? [replace({ String: ' ' }, metaspace)] : []),
    ],
  }
}

function decoderOf({ normalizer_spec: normalizer }: SegmentingModel) {
  return {
    type: 'Sequence',
    decoders: [
      { type: 'Replace', pattern: { String: metaspace }, content: ' ' },
      { type: 'ByteFallback' },
      { type: 'Fuse' },
      ...(normalizer.add_dummy_prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
    ],
  }
}

/**
 * Every way to put a piece together from two others, best first: by score, then the longer left part, then the longer
 * right part, as `generate_merges` of transformers orders them. Only normal pieces take part, as in SentencePiece.
 */
function mergesOf(pieces: readonly Piece[]): [string, string][] {
  const idOf = new Map<string, number>()
  for (const [id, { piece, type }] of pieces.entries()) if (type === 'normal') idOf.set(piece, id)

  const merges: { left: string; right: string; score: number; leftLength: number; rightLength: number }[] = []
  for (const { piece, type, score } of pieces) {
    if (type !== 'normal') continue
    const characters = Array.from(piece)
    const local: typeof merges = []
    let left = ''
    for (const [index, character] of characters.slice(0, -1).entries()) {
      left += character
      const right = piece.slice(left.length)
      if (!idOf.has(left) || !idOf.has(right)) continue
      local.push({ left, right, score, leftLength: index + 1, rightLength: characters.length - index - 1 })
    }
    local.sort((a, b) => idOf.get(a.left)! - idOf.get(b.left)! || idOf.get(a.right)! - idOf.get(b.right)!)
    merges.push(...local)
  }
  merges.sort((a, b) => b.score - a.score || b.leftLength - a.leftLength || b.rightLength - a.rightLength)
  return merges.map(({ left, right }) => [left, right])
}
