import { statSync } from 'node:fs'
import { join } from 'node:path'
import { isGgufFile } from '../checkpoint/gguf/file.ts'
import { badFile, SecateurError } from '../shared/errors.ts'
import { loadTokenizer } from '../tokenizer/tokenizer.ts'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import type { ModelConfig } from './model-config.ts'

/** What decides how text becomes ids that a model can read. */
export interface TokenizedModel {
  folder: string
  config: Pick<ModelConfig, 'vocabularySize' | 'patchValues'>
}

/**
 * The tokenizer of a model's folder. It gives no id for which the embedding has no row: where it has more tokens than the
 * model, the text that needs one of those is an error, and a token for padding, which is never looked at, is done without.
 *
 * @throws SecateurError as `loadTokenizer` does, and for a model of images
 */
export async function openTokenizer(model: TokenizedModel): Promise<Tokenizer> {
  if (model.config.patchValues !== undefined)
    throw badFile(join(model.folder, 'config.json'), 'model_type', 'is a model of images, which reads no text')
  const tokenizer = await cachedTokenizer(model.folder)
  return tokenizer.vocabularySize > model.config.vocabularySize ? within(model, tokenizer) : tokenizer
}

/** Tokens that a model may do without: those of images in Gemma 3's text models, one for padding that somebody added. */
const fewTokens = 16

/** What is to be said of a tokenizer that does not open or has more tokens than its model has rows; null where it fits or is not there. */
export async function tokenizerWarning(model: TokenizedModel): Promise<string | null> {
  let tokenizer: Tokenizer
  try {
    tokenizer = await cachedTokenizer(model.folder)
  } catch (error) {
    const isThere = tokenizerFile(model.folder) !== null
    return isThere && error instanceof SecateurError ? `The tokenizer cannot be used: ${error.message}` : null
  }
  const rows = model.config.vocabularySize
  const { vocabularySize } = tokenizer
  if (vocabularySize <= rows) return null
  const named = `'${tokenizer.token(rows)}'`
  const beyond = vocabularySize - rows === 1 ? `a text with ${named} is` : `texts with ${named} or a later token are`
  return (
    `${tokenizerFile(model.folder)} has ${vocabularySize} tokens, and the embedding has ${rows} rows (vocab_size): ` +
    `${beyond} refused.${vocabularySize - rows > fewTokens ? ' Is it the tokenizer of another model?' : ''}`
  )
}

function within({ folder, config }: TokenizedModel, tokenizer: Tokenizer): Tokenizer {
  const rows = config.vocabularySize
  const check = (id: number): number => {
    if (id < rows) return id
    throw badFile(
      tokenizerFile(folder) ?? folder,
      undefined,
      `gives '${tokenizer.token(id)}' the id ${id}, but the embedding has ${rows} rows: vocab_size in config.json is ${rows}. ` +
        'Take the tokenizer of this model, or leave the token out of the text',
    )
  }
  return {
    vocabularySize: tokenizer.vocabularySize,
    padId: tokenizer.padId !== null && tokenizer.padId < rows ? tokenizer.padId : null,
    bosToken: tokenizer.bosToken,
    eosToken: tokenizer.eosToken,
    get bosId() {
      return tokenizer.bosId === null ? null : check(tokenizer.bosId)
    },
    get eosId() {
      return tokenizer.eosId === null ? null : check(tokenizer.eosId)
    },
    encode(text, options) {
      const ids = tokenizer.encode(text, options)
      for (const id of ids) check(id)
      return ids
    },
    decode: (ids, options) => tokenizer.decode(ids, options),
    token: (id) => tokenizer.token(id),
    chat: (messages, options) => tokenizer.chat(messages, options),
  }
}

const vocabularyFiles = ['tokenizer.json', 'tokenizer.model']
/** Files of a checkpoint's folder that its tokenizer and chat template follow from; a GGUF file holds them itself. */
export const tokenizerFileNames = [
  ...vocabularyFiles,
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
]

/** The file that holds a checkpoint's vocabulary; null where there is none. */
export const tokenizerFile = (folder: string): string | null =>
  isGgufFile(folder)
    ? folder
    : (vocabularyFiles.map((name) => join(folder, name)).find((file) => statSync(file, { throwIfNoEntry: false })) ??
      null)

let cached: { key: string; tokenizer: Promise<Tokenizer> } | null = null

/** The tokenizer that was used last is kept: the parts of a job, and pages of a preview, follow each other. */
function cachedTokenizer(folder: string): Promise<Tokenizer> {
  const paths = isGgufFile(folder) ? [folder] : tokenizerFileNames.map((name) => join(folder, name))
  const states = paths.map((path) => {
    const stat = statSync(path, { throwIfNoEntry: false })
    return stat ? [stat.mtimeMs, stat.size] : null
  })
  const key = JSON.stringify([folder, states])
  if (cached?.key !== key) {
    const tokenizer = loadTokenizer(folder)
    cached = { key, tokenizer }
    tokenizer.catch(() => {
      if (cached?.key === key) cached = null
    })
  }
  return cached.tokenizer
}
