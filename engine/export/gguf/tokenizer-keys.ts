import { isGgufFile } from '../../checkpoint/gguf/file.ts'
import type { GgufKeys, GgufValue } from '../../checkpoint/gguf/writer.ts'
import type { Checkpoint } from '../../models/checkpoint.ts'
import { tokenizerFile } from '../../models/model-tokenizer.ts'
import { ggufCompanions } from '../../tokenizer/companions.ts'
import { loadTokenizer } from '../../tokenizer/tokenizer.ts'
import { chatTemplate, readTokenizerFiles, type TokenizerFiles } from '../../tokenizer/tokenizer-files.ts'
import { pieceScores, sentencePieceKeys } from './sentencepiece-keys.ts'
import { preTokenizerName } from './pre-tokenizer.ts'

/** Kinds of tokens, by the numbers that SentencePiece and GGUF have for them. */
const kinds = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

export interface TokenizerKeys {
  keys: GgufKeys
  /** What `nameFor` asks; null where there is no tokenizer. */
  naming: { tokens: readonly string[]; dropsBlanks: boolean } | null
  warnings: string[]
}

const uint = (value: number): GgufValue => ({ type: 'uint32', value })
const text = (value: string): GgufValue => ({ type: 'string', value })
const flag = (value: boolean): GgufValue => ({ type: 'bool', value })
const texts = (value: readonly string[]): GgufValue => ({ type: 'array', of: 'string', value })

/**
 * The tokenizer of a checkpoint as keys: SentencePiece's kind (`llama`) or bytes (`gpt2`), with special tokens and the chat
 * template. There are as many tokens as the embedding has rows: spare rows get a name, tokens without a row are left out.
 *
 * @throws SecateurError that names the field of a tokenizer that llama.cpp cannot follow
 */
export async function tokenizerKeys({ folder, config }: Checkpoint): Promise<TokenizerKeys> {
  if (!hasTokenizer(folder))
    return {
      keys: new Map([['tokenizer.ggml.model', text('no_vocab')]]),
      naming: null,
      warnings: [`${folder} has no tokenizer: the file that is written has none either, and takes token ids alone.`],
    }
  const files = await readTokenizerFiles(folder)
  const tokenizer = await loadTokenizer(folder)
  const rows = config.vocabularySize
  const table = tokenTable(files, rows)
  const isBytes = !files.json.model.byte_fallback
  const own: Record<string, GgufValue> = isBytes
    ? {
        model: text('gpt2'),
        pre: text(preTokenizerName(files)),
        merges: texts(files.json.model.merges.map((merge) => (typeof merge === 'string' ? merge : merge.join(' ')))),
      }
    : {
        model: text('llama'),
        pre: text('default'),
        scores: { type: 'array', of: 'float32', value: pieceScores(files, table.tokens) },
        ...sentencePieceKeys(files),
      }
  const ids = specialIds(files, config.eosIds, rows)
  const template = await chatTemplate(folder)
  const encoded = tokenizer.encode('a')
  const keys: Record<string, GgufValue> = {
    ...own,
    tokens: texts(table.tokens),
    token_type: { type: 'array', of: 'int32', value: table.types },
    ...Object.fromEntries(Object.entries(ids).map(([name, id]) => [`${name}_token_id`, uint(id)])),
    add_bos_token: flag(ids.bos !== undefined && encoded[0] === ids.bos),
    add_eos_token: flag(ids.eos !== undefined && encoded.length > 1 && encoded.at(-1) === ids.eos),
  }
  return {
    keys: new Map([
      ...Object.entries(keys).map(([name, value]) => [`tokenizer.ggml.${name}`, value] as const),
      ...(template ? [['tokenizer.chat_template', text(template.source)] as const] : []),
    ]),
    naming: {
      tokens: table.tokens,
      dropsBlanks: files.json.added_tokens.some(({ special, rstrip }) => special && rstrip),
    },
    warnings: table.warnings,
  }
}

const hasTokenizer = (checkpoint: string): boolean =>
  isGgufFile(checkpoint)
    ? Object.hasOwn(ggufCompanions(checkpoint), 'tokenizer.json')
    : tokenizerFile(checkpoint) !== null

function tokenTable({ json, file, special }: TokenizerFiles, rows: number) {
  const { model, added_tokens: added } = json
  const tokens: string[] = []
  const types: number[] = []
  const put = (id: number, token: string, kind: number) => {
    tokens[id] = token
    types[id] = kind
  }
  for (const [token, id] of Object.entries(model.vocab)) {
    const isByte = model.byte_fallback && /^<0x[0-9A-F]{2}>$/.test(token)
    put(id, token, isByte ? kinds.byte : kinds.normal)
  }
  const named = new Set([special.bos, special.eos, special.pad])
  for (const { id, content, special: isSpecial } of added) {
    const isControl = isSpecial || named.has(content)
    put(
      id,
      content,
      content === special.unknown && model.byte_fallback
        ? kinds.unknown
        : isControl
          ? kinds.control
          : kinds.userDefined,
    )
  }
  const warnings =
    tokens.length > rows
      ? [`${file} has ${tokens.length} tokens, and the embedding has ${rows} rows: the others are left out.`]
      : []
  const ids = Array.from({ length: rows }, (_, id) => id)
  return {
    tokens: ids.map((id) => tokens[id] ?? `[PAD${id}]`),
    types: ids.map((id) => types[id] ?? kinds.unused),
    warnings,
  }
}

/** Ids of special tokens that have a row. The end is what the tokenizer says, where config.json lists it. */
function specialIds({ json, special }: TokenizerFiles, ends: readonly number[], rows: number) {
  const idOf = (token: string | null): number | undefined => {
    if (token === null) return undefined
    const own = json.added_tokens.find(({ content }) => content === token)?.id
    return own ?? (Object.hasOwn(json.model.vocab, token) ? json.model.vocab[token] : undefined)
  }
  const eos = idOf(special.eos)
  const ids = {
    bos: idOf(special.bos),
    eos: eos !== undefined && (ends.length === 0 || ends.includes(eos)) ? eos : (ends[0] ?? eos),
    unknown: idOf(special.unknown),
    padding: idOf(special.pad),
  }
  const kept = Object.entries(ids).filter(([, id]) => id !== undefined && id < rows)
  return Object.fromEntries(kept) as Partial<Record<keyof typeof ids, number>>
}
