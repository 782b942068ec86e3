import { readdir } from 'node:fs/promises'
import { z } from 'zod'
import { isGgufFile } from '../checkpoint/gguf/file.ts'
import { badFile } from '../shared/errors.ts'
import type { ChatTemplate } from './chat-template.ts'
import { type Companions, companionsOf } from './companions.ts'
import { tokenizerKey } from './gguf-vocabulary.ts'
import { convertSentencePiece } from './sentencepiece-convert.ts'
import { parseSentencePiece } from './sentencepiece-model.ts'
import { addedTokenSchema, checkSupported, checkTokenizerJson, type TokenizerJson } from './tokenizer-json.ts'

const settingsName = 'tokenizer_config.json'

/** Largest sizes that are read, in bytes; the largest real files have about 33 MB (tokenizer.json of 256k tokens). */
const limits = { tokenizer: 128 * 2 ** 20, settings: 8 * 2 ** 20 }

const tokenText = z
  .union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)])
  .nullish()
const specialTokens = {
  bos_token: tokenText,
  eos_token: tokenText,
  pad_token: tokenText,
  unk_token: tokenText,
  additional_special_tokens: z.array(tokenText).nullish(),
}
const mapSchema = z.looseObject(specialTokens)
const settingsSchema = z.looseObject({
  ...specialTokens,
  tokenizer_class: z.string().nullish(),
  add_bos_token: z.boolean().nullish(),
  add_eos_token: z.boolean().nullish(),
  clean_up_tokenization_spaces: z.boolean().nullish(),
  added_tokens_decoder: z.record(z.string().regex(/^\d{1,7}$/, 'must be a token id'), addedTokenSchema).nullish(),
  chat_template: z.union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))]).nullish(),
})

/** Names by which special tokens are known where no file says which token is which. */
const usual = {
  bos_token: ['<s>', '<|begin_of_text|>'],
  eos_token: ['</s>', '<|end_of_text|>', '<|endoftext|>'],
  pad_token: ['<pad>', '[PAD]'],
  unk_token: ['<unk>'],
}

/** What a folder says of its tokenizer, before anything is derived from it. */
export interface TokenizerFiles {
  /** The file that holds the vocabulary, for messages. */
  file: string
  json: TokenizerJson
  /** A `tokenizer.model` was converted: there is no post-processor of its own. */
  fromSentencePiece: boolean
  settings: z.infer<typeof settingsSchema>
  special: { bos: string | null; eos: string | null; pad: string | null; unknown: string | null; others: string[] }
}

/**
 * Reads `tokenizer.json`, or `tokenizer.model` where there is no such file, with `tokenizer_config.json`,
 * `special_tokens_map.json` and `added_tokens.json` of a Hugging Face folder, or what a GGUF file has in their place.
 * Errors: `bad-file` naming file and field.
 */
export async function readTokenizerFiles(checkpoint: string): Promise<TokenizerFiles> {
  const companions = companionsOf(checkpoint)
  const settings = (await readSettings(companions, settingsName, settingsSchema)) ?? {}
  const map = (await readSettings(companions, 'special_tokens_map.json', mapSchema)) ?? {}

  const given = await companions.json('tokenizer.json', limits.tokenizer)
  const file = companions.pathOf(given === undefined ? 'tokenizer.model' : 'tokenizer.json')
  const bytes = given === undefined ? await companions.read('tokenizer.model', limits.tokenizer) : undefined
  if (given === undefined && bytes === undefined)
    throw badFile(checkpoint, undefined, await withoutTokenizer(checkpoint))
  const model = bytes && parseSentencePiece(file, bytes)
  const json = model ? convertSentencePiece(model) : checkTokenizerJson(file, given)

  const extra = await readSettings(companions, 'added_tokens.json', z.record(z.string().min(1), z.int().min(0)))
  checkListed(companions.pathOf(settingsName), settings.added_tokens_decoder ?? {})
  addMissing(json, settings.added_tokens_decoder ?? {}, extra ?? {})
  const special = (name: 'bos_token' | 'eos_token' | 'pad_token' | 'unk_token', id?: number) => {
    // Empty strings stand in the settings of the first LLaMA conversions, where the model's own tokens are meant.
    const stated = settings[name] || map[name]
    if (stated) return stated
    if (settings[name] === null) return null
    const own = model && id !== undefined ? model.pieces[id]?.piece : undefined
    return (
      own ?? json.added_tokens.find((token) => token.special && usual[name].includes(token.content))?.content ?? null
    )
  }
  return {
    file,
    json: checkTokenizerJson(file, json),
    fromSentencePiece: model !== undefined,
    settings,
    special: {
      bos: special('bos_token', model?.trainer_spec.bos_id),
      eos: special('eos_token', model?.trainer_spec.eos_id),
      pad: special('pad_token', model?.trainer_spec.pad_id),
      unknown: special('unk_token', model?.trainer_spec.unk_id) ?? json.model.unk_token,
      others: [...(settings.additional_special_tokens ?? []), ...(map.additional_special_tokens ?? [])].filter(
        (token) => typeof token === 'string',
      ),
    },
  }
}

/**
 * The chat template of a folder, or null: `chat_template.jinja`, else "chat_template" of `tokenizer_config.json` (of
 * several the one called "default", and where there are tools the one called "tool_use"). Errors: `bad-file` for files that
 * are broken.
 */
export async function chatTemplate(checkpoint: string): Promise<ChatTemplate | null> {
  const companions = companionsOf(checkpoint)
  const own = 'chat_template.jinja'
  const bytes = await companions.read(own, limits.settings)
  if (bytes !== undefined) return onlyTemplate(companions.pathOf(own), new TextDecoder().decode(bytes))

  const file = companions.pathOf(settingsName)
  const template = (await readSettings(companions, settingsName, settingsSchema))?.chat_template ?? null
  if (template === null) return null
  if (typeof template === 'string') return onlyTemplate(file, template)
  const chosen = template.find(({ name }) => name === 'default')
  if (chosen === undefined) throw badFile(file, 'chat_template', "lists several templates, but none called 'default'")
  const withTools = template.find(({ name }) => name === 'tool_use') ?? chosen
  return { file, source: chosen.template, withTools: withTools.template }
}

const onlyTemplate = (file: string, source: string): ChatTemplate => ({ file, source, withTools: source })

/** What is listed here holds for tokens of tokenizer.json too. */
function checkListed(file: string, listed: Record<string, z.infer<typeof addedTokenSchema>>) {
  for (const [id, token] of Object.entries(listed)) checkSupported(file, `added_tokens_decoder.${id}`, token)
}

/** Tokens that only the settings or `added_tokens.json` of older folders name are added, as transformers does. */
function addMissing(
  json: TokenizerJson,
  listed: Record<string, z.infer<typeof addedTokenSchema>>,
  extra: Record<string, number>,
) {
  const known = new Set(json.added_tokens.map(({ content }) => content))
  const add = (token: z.infer<typeof addedTokenSchema>, id: number) => {
    if (!known.has(token.content)) json.added_tokens.push({ ...token, id })
    known.add(token.content)
  }
  for (const [id, token] of Object.entries(listed)) add(token, Number(id))
  for (const [content, id] of Object.entries(extra)) add(addedTokenSchema.parse({ content, normalized: false }), id)
}

async function readSettings<T>(companions: Companions, name: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const value = await companions.json(name, limits.settings)
  if (value === undefined) return undefined
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const message = issue?.message ?? 'has the wrong form'
  throw badFile(companions.pathOf(name), issue?.path.join('.'), message, parsed.error)
}

/** Which other tokenizer a folder holds, and how to come by one that is read. */
async function withoutTokenizer(folder: string): Promise<string> {
  if (isGgufFile(folder))
    return `has no tokenizer: it lacks the key ${tokenizerKey('model')}, or says there that it has none`
  const none = 'holds neither tokenizer.json nor tokenizer.model'
  const names = await readdir(folder).catch((): string[] => [])
  const other = names.find((name) => /^(tekken\.json|vocab\.json|merges\.txt|.*\.tiktoken)$/.test(name))
  if (other === undefined) return none
  return `${none}, but ${other}, which is not read by itself: let transformers write tokenizer.json (AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER))`
}
