import { z } from 'zod'
import { badFile, SecateurError } from '../shared/errors.ts'

/** Ids above this are refused: tables are indexed by id, and the largest vocabularies hold a few hundred thousand. */
const largestId = 4_000_000

const id = z.int().min(0).max(largestId)
const component = z.looseObject({ type: z.string() })

export const addedTokenSchema = z.looseObject({
  content: z.string().min(1),
  special: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  normalized: z.boolean().default(true),
  single_word: z.boolean().default(false),
})
const schema = z.object({
  added_tokens: z.array(addedTokenSchema.extend({ id })).default([]),
  normalizer: component.nullable().default(null),
  pre_tokenizer: component.nullable().default(null),
  post_processor: component.nullable().default(null),
  decoder: component.nullable().default(null),
  model: z.object({
    /** Old files leave it out; byte-pair encoding is then told by its merges. */
    type: z.string().default('BPE'),
    unk_token: z.string().nullable().default(null),
    continuing_subword_prefix: z.string().nullable().default(null),
    end_of_word_suffix: z.string().nullable().default(null),
    dropout: z.number().nullish(),
    fuse_unk: z.boolean().default(false),
    byte_fallback: z.boolean().default(false),
    ignore_merges: z.boolean().default(false),
    /** Checked apart: z.record() drops the key "__proto__", which is an ordinary token in vocabularies of source code. */
    vocab: z.custom<Record<string, number>>(
      (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
      'must be an object of tokens and their ids',
    ),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
})

/** The parts of tokenizer.json that Secateur reads, with the defaults of the Rust library where a field is absent. */
export type TokenizerJson = z.infer<typeof schema>
export type AddedToken = TokenizerJson['added_tokens'][number]
export type Component = z.infer<typeof component>

/**
 * Checks a parsed tokenizer.json. Errors: `bad-file` that names the field (a wrong type, two tokens with one id, a merge
 * that makes no token), `unsupported` for a model other than byte-pair encoding or a component that we cannot follow.
 */
export function checkTokenizerJson(file: string, value: unknown): TokenizerJson {
  const type = z.looseObject({ model: z.looseObject({ type: z.string() }) }).safeParse(value)
  if (type.success && type.data.model.type !== 'BPE') {
    const message = `is '${type.data.model.type}'; Llama-family tokenizers are 'BPE'`
    throw new SecateurError('unsupported', message, { file, field: 'model.type' })
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw badFile(file, issue?.path.join('.'), issue?.message ?? 'is not a tokenizer', parsed.error)
  }
  checkIds(file, parsed.data)
  checkMerges(file, parsed.data.model)
  checkComponents(file, parsed.data)
  return parsed.data
}

function checkIds(file: string, { model, added_tokens }: TokenizerJson) {
  const tokenOf = new Map<number, string>()
  const claim = (field: string, token: string, tokenId: number) => {
    const other = tokenOf.get(tokenId) ?? token
    if (other !== token) throw badFile(file, field, `gives '${token}' the id ${tokenId} of '${other}'`)
    tokenOf.set(tokenId, token)
  }
  for (const [token, value] of Object.entries(model.vocab)) {
    const parsed = id.safeParse(value)
    if (!parsed.success) throw badFile(file, `model.vocab.${token}`, `must be an id from 0 to ${largestId}`)
    claim('model.vocab', token, parsed.data)
  }
  for (const [index, added] of added_tokens.entries()) {
    const field = `added_tokens.${index}`
    claim(field, added.content, added.id)
    const inVocabulary = Object.hasOwn(model.vocab, added.content) ? model.vocab[added.content] : added.id
    if (inVocabulary !== added.id) {
      throw badFile(file, field, `gives '${added.content}' the id ${added.id}, model.vocab gives it ${inVocabulary}`)
    }
  }
  if (tokenOf.size === 0) throw badFile(file, 'model.vocab', 'holds no tokens')
  const { unk_token, vocab } = model
  if (unk_token !== null && !Object.hasOwn(vocab, unk_token) && !added_tokens.some((t) => t.content === unk_token)) {
    throw badFile(file, 'model.unk_token', `is '${unk_token}', which is not in the vocabulary`)
  }
}

function checkMerges(file: string, { vocab, merges }: TokenizerJson['model']) {
  for (const [index, merge] of merges.entries()) {
    const field = `model.merges.${index}`
    const pair = typeof merge === 'string' ? merge.split(' ') : merge
    if (pair.length !== 2) throw badFile(file, field, `must be two tokens with a blank between, is '${merge}'`)
    const missing = [pair[0]!, pair[1]!, pair.join('')].find((token) => !Object.hasOwn(vocab, token))
    if (missing !== undefined) throw badFile(file, field, `needs the token '${missing}', which model.vocab lacks`)
  }
}

/** Settings that the tokenizer library would pass over without a word, so that ids would be wrong. */
function checkComponents(file: string, { added_tokens, model, pre_tokenizer }: TokenizerJson) {
  const refuse = (field: string, value: string) =>
    new SecateurError('unsupported', `${value} is not supported`, { file, field })
  if (model.continuing_subword_prefix) {
    throw refuse('model.continuing_subword_prefix', `'${model.continuing_subword_prefix}'`)
  }
  if (model.dropout) throw refuse('model.dropout', `${model.dropout}, which gives a text other ids each time,`)
  for (const [index, token] of added_tokens.entries()) checkSupported(file, `added_tokens.${index}`, token)
  for (const step of flatten(pre_tokenizer, 'pretokenizers')) {
    const behaviour = step.type === 'Split' ? step['behavior'] : undefined
    if (behaviour !== undefined && behaviour !== 'Isolated' && behaviour !== 'Removed') {
      throw refuse('pre_tokenizer.behavior', JSON.stringify(behaviour))
    }
  }
}

/**
 * Throws for an added token that is only one where it stands alone: the library would find it within words.
 *
 * @param field of the token in its file
 */
export function checkSupported(file: string, field: string, token: z.infer<typeof addedTokenSchema>) {
  if (!token.single_word) return
  throw new SecateurError(
    'unsupported',
    `is true: that '${token.content}' is a token where it is a word of its own, and not within another, is not supported. ` +
      'Set it to false if no text has it within a word',
    { file, field: `${field}.single_word` },
  )
}

/** The steps of a component: those of a Sequence (listed in `key`), or itself. */
function flatten(step: Component | null, key: string): Component[] {
  if (step === null) return []
  if (step.type !== 'Sequence') return [step]
  const steps = z.array(component).safeParse(step[key])
  return steps.success ? steps.data.flatMap((inner) => flatten(inner, key)) : [step]
}
