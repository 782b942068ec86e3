import type { GgufValue } from '../../checkpoint/gguf/writer.ts'
import type { TokenizerFiles } from '../../tokenizer/tokenizer-files.ts'
import type { Component } from '../../tokenizer/tokenizer-json.ts'

/**
 * Scores of pieces: llama.cpp joins the two neighbours whose piece has the highest score. A piece's score is minus the
 * place of the first merge that makes it, as SentencePiece's trainer numbers them; pieces that no merge makes come last.
 */
export function pieceScores({ json }: Pick<TokenizerFiles, 'json'>, tokens: readonly string[]): number[] {
  const { merges } = json.model
  const places = new Map<string, number>()
  for (const merge of merges) {
    const piece = typeof merge === 'string' ? merge.split(' ').join('') : merge.join('')
    if (!places.has(piece)) places.set(piece, places.size)
  }
  return tokens.map((token) => -(places.get(token) ?? places.size))
}

/** Whether a blank is put before a text, and whether several blanks become one. */
export function sentencePieceKeys({ json }: Pick<TokenizerFiles, 'json'>): Record<string, GgufValue> {
  const steps = [...stepsOf(json.normalizer, 'normalizers'), ...stepsOf(json.pre_tokenizer, 'pretokenizers')]
  const prefixed = steps.some(
    ({ type, ...step }) =>
      type === 'Prepend' ||
      (type === 'Metaspace' && step['prepend_scheme'] !== 'never' && step['add_prefix_space'] !== false),
  )
  const squeezed = steps.some(
    ({ type, ...step }) =>
      type === 'Replace' && (step['pattern'] as { Regex?: unknown } | undefined)?.Regex === ' {2,}',
  )
  return {
    add_space_prefix: { type: 'bool', value: prefixed },
    remove_extra_whitespaces: { type: 'bool', value: squeezed },
  }
}

function stepsOf(step: Component | null, key: string): Component[] {
  if (step === null) return []
  if (step.type !== 'Sequence' || !Array.isArray(step[key])) return [step]
  return (step[key] as Component[]).flatMap((inner) => stepsOf(inner, key))
}
