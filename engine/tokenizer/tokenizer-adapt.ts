import { addedToken } from './sentencepiece-convert.ts'
import type { TokenizerFiles } from './tokenizer-files.ts'
import type { Component, TokenizerJson } from './tokenizer-json.ts'

/**
 * The tokenizer.json to give to the library so that it does what transformers does with this folder: special tokens named
 * only in the settings are marked, the unknown token is not looked for in texts, Llama classes build their own template, and components that the library reads
 * differently from the Rust one are written in other words.
 */
export function adaptTokenizer({ json, settings, special, fromSentencePiece }: TokenizerFiles): TokenizerJson {
  const isLlamaClass = /^(Code)?LlamaTokenizer(Fast)?$/.test(settings.tokenizer_class ?? '')
  const marked = markSpecial(json, [special.bos, special.eos, special.pad, special.unknown, ...special.others])
  const adapted = {
    ...json,
    ...leaveUnknownAsText({ ...json, added_tokens: marked }, special),
    normalizer: json.normalizer && adaptNormalizer(json.normalizer),
    pre_tokenizer: json.pre_tokenizer && adaptPreTokenizer(json.pre_tokenizer),
  }
  if (!fromSentencePiece && !isLlamaClass) return adapted
  const before = (settings.add_bos_token ?? true) ? special.bos : null
  const after = (settings.add_eos_token ?? false) ? special.eos : null
  return { ...adapted, post_processor: template(before, after) }
}

function markSpecial(json: TokenizerJson, special: (string | null)[]) {
  const added = json.added_tokens.map((token) =>
    special.includes(token.content) ? { ...token, special: true } : token,
  )
  for (const content of new Set(special)) {
    if (content === null || added.some((token) => token.content === content)) continue
    const id = Object.hasOwn(json.model.vocab, content) ? json.model.vocab[content] : undefined
    if (id !== undefined) added.push(addedToken(id, content, true))
  }
  return added
}

/**
 * A text that spells the unknown token, as the Penn Treebank does thousands of times, is encoded as the text that it is,
 * as SentencePiece does and the published token counts assume; the id itself is one that Llama models never saw.
 */
function leaveUnknownAsText(json: TokenizerJson, { unknown, bos, eos, pad }: TokenizerFiles['special']) {
  const token = json.added_tokens.find(({ content }) => content === unknown)
  if (token === undefined || [bos, eos, pad].includes(unknown)) return json
  const vocab = Object.fromEntries([...Object.entries(json.model.vocab), [token.content, token.id]])
  const added_tokens = json.added_tokens.filter((other) => other !== token)
  return { added_tokens, model: { ...json.model, vocab } }
}

const specialToken = (content: string | null) =>
  content === null ? [] : [{ SpecialToken: { id: content, type_id: 0 } }]

function template(before: string | null, after: string | null): Component {
  const single = [...specialToken(before), { Sequence: { id: 'A', type_id: 0 } }, ...specialToken(after)]
  return { type: 'TemplateProcessing', single, pair: single }
}

/** The library prepends to empty texts too, the Rust one does not; `remove_extra_whitespaces` can leave nothing. */
function adaptNormalizer(normalizer: Component): Component {
  if (normalizer.type === 'Sequence' && Array.isArray(normalizer['normalizers'])) {
    return { ...normalizer, normalizers: (normalizer['normalizers'] as Component[]).map(adaptNormalizer) }
  }
  if (normalizer.type !== 'Prepend') return normalizer
  return { type: 'Replace', pattern: { Regex: '\\A(?=[\\s\\S])' }, content: normalizer['prepend'] }
}

/**
 * The library knows neither "split" of Metaspace (default true: each blank starts a word) nor its older spelling, and of
 * Digits it takes 0 to 9 alone, where the Rust one takes all that is numeric, such as \u00bd.
 */
function adaptPreTokenizer(step: Component): Component {
  if (step.type === 'Sequence' && Array.isArray(step['pretokenizers'])) {
    return { ...step, pretokenizers: (step['pretokenizers'] as Component[]).map(adaptPreTokenizer) }
  }
  if (step.type === 'Digits') {
    const pattern = { Regex: step['individual_digits'] === true ? '\\p{N}' : '\\p{N}+' }
    return { type: 'Split', pattern, behavior: 'Isolated', invert: false }
  }
  if (step.type !== 'Metaspace') return step
  const scheme = step['prepend_scheme'] ?? (step['add_prefix_space'] === false ? 'never' : 'always')
  const metaspace = { ...step, prepend_scheme: scheme }
  if (step['split'] === false) return metaspace
  const blank = typeof step['replacement'] === 'string' ? step['replacement'] : '\u2581'
  const words = {
    type: 'Split',
    pattern: { Regex: `${blank}?[^${blank}]+|${blank}` },
    behavior: 'Isolated',
    invert: false,
  }
  return { type: 'Sequence', pretokenizers: [metaspace, words] }
}
