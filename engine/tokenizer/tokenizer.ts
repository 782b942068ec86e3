import { badFile } from '../shared/errors.ts'
import { onText } from '../shared/interruptible.ts'
import { adaptTokenizer } from './tokenizer-adapt.ts'
import { splitAtBoundaries } from './tokenizer-boundaries.ts'
import { chatTemplate, readTokenizerFiles, type TokenizerFiles } from './tokenizer-files.ts'
import type { TokenizerJson } from './tokenizer-json.ts'
import { openLibrary, type TokenizerLibrary } from './tokenizer-library.ts'
import type { Tokenizer } from './tokenizer-type.ts'

/**
 * The tokenizer of a Hugging Face folder: byte-pair encoding from `tokenizer.json`, or from a SentencePiece
 * `tokenizer.model` where that is all there is, with the special tokens and the chat template of the files beside it.
 * Errors: `bad-file` naming file and field; `unsupported` for models and components that would give other ids.
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const files = await readTokenizerFiles(folder)
  const { library, json } = createLibrary(files)
  const chat = await loadChat(folder, files.special)
  return createTokenizer(library, json, files.special, chat)
}

function createTokenizer(
  library: TokenizerLibrary,
  json: TokenizerJson,
  special: TokenizerFiles['special'],
  chat: Tokenizer['chat'],
): Tokenizer {
  const idOf = (token: string | null) => (token === null ? null : (library.token_to_id(token) ?? null))
  const bosId = idOf(special.bos)
  const eosId = idOf(special.eos)
  const ids = [...Object.values(json.model.vocab), ...json.added_tokens.map(({ id }) => id)]
  return {
    vocabularySize: 1 + ids.reduce((largest, id) => Math.max(largest, id), 0),
    bosId,
    eosId,
    padId: idOf(special.pad),
    bosToken: bosId === null ? null : special.bos,
    eosToken: eosId === null ? null : special.eos,
    encode(text, { specialTokens = true } = {}) {
      const { ids: encoded } = onText(text.length, () => library.encode(text, { add_special_tokens: specialTokens }))
      const doubled = specialTokens && bosId !== null && encoded[0] === bosId && encoded[1] === bosId
      return doubled && text.startsWith(special.bos!) ? encoded.slice(1) : encoded
    },
    decode(tokenIds, { keepSpecialTokens = false } = {}) {
      const known = tokenIds.filter((id) => library.id_to_token(id) !== undefined)
      return known.length === 0 ? '' : library.decode(known, { skip_special_tokens: !keepSpecialTokens })
    },
    token: (id) => library.id_to_token(id) ?? `[${id}]`,
    chat,
  }
}

function createLibrary(files: TokenizerFiles): { library: TokenizerLibrary; json: TokenizerJson } {
  const { settings, special } = files
  try {
    const json = adaptTokenizer(files)
    const library = openLibrary(json, {
      additional_special_tokens: special.unknown === null ? special.others : [...special.others, special.unknown],
      // The library's own default is true, which would join " ," and " n't" that the text really had.
      clean_up_tokenization_spaces: settings.clean_up_tokenization_spaces ?? false,
    })
    if (wordsAreLong(json)) {
      library.pre_tokenizer = splitAtBoundaries(library.pre_tokenizer, Object.keys(json.model.vocab))
    }
    // The library reads templates and decoders only when it uses them.
    const { ids } = library.encode('a b', { add_special_tokens: true })
    if (ids.some((id) => id === undefined)) throw new Error('post_processor names a token that is not there')
    if (ids.length > 0) library.decode(ids, { skip_special_tokens: false })
    return { library, json }
  } catch (cause) {
    throw badFile(files.file, undefined, `cannot be used: ${(cause as Error).message}`, cause)
  }
}

/** Whether whole texts reach the byte-pair encoder as one word. A suffix at the end of words forbids dividing them. */
const wordsAreLong = ({ pre_tokenizer, model }: TokenizerJson) =>
  !model.end_of_word_suffix && (pre_tokenizer === null || pre_tokenizer.type === 'Metaspace')

/** Templates are only parsed where there is one, and then only once a conversation is rendered. */
async function loadChat(folder: string, special: TokenizerFiles['special']): Promise<Tokenizer['chat']> {
  const template = await chatTemplate(folder)
  if (template === null) return () => null
  const { createChat } = await import('./chat-template.ts')
  return createChat(template, special)
}
