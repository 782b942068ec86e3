import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { splitAtBoundaries } from '../../../engine/tokenizer/tokenizer-boundaries.ts'
import { loadTokenizer } from '../../../engine/tokenizer/tokenizer.ts'
import { byteCharacters, tokenizerFolder } from './tokenizer-folder.ts'

const special = (id: number, content: string) => ({ id, content, special: true, normalized: false })

/** A tokenizer laid out like Llama 3's: bytes, a few merges in the old spelling, one whole word without merges. */
function llama3Like() {
  const tokens = [...byteCharacters, 'in', 'ing', '\u0120w', '\u0120wh', 'hello', '__proto__']
  const wordsAndNumbers =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
  return {
    version: '1.0',
    added_tokens: [special(262, '<|begin_of_text|>'), special(263, '<|end_of_text|>')],
    normalizer: null as object | null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: wordsAndNumbers }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    } as object | null,
    post_processor: {
      type: 'Sequence',
      processors: [
        { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true },
        {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: '<|begin_of_text|>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
          pair: [],
          special_tokens: {},
        },
      ],
    } as object | null,
    decoder: { type: 'ByteLevel' } as object | null,
    model: {
      type: 'BPE',
      ignore_merges: true,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: ['i n', 'in g', '\u0120 w', '\u0120w h'],
    },
  }
}
const llama3Settings = {
  tokenizer_class: 'PreTrainedTokenizerFast',
  bos_token: '<|begin_of_text|>',
  eos_token: { content: '<|end_of_text|>', __type: 'AddedToken' },
}
const code = (character: string) => character.charCodeAt(0)

const open = (json: object = llama3Like(), settings: object = llama3Settings) =>
  loadTokenizer(tokenizerFolder({ 'tokenizer.json': json, 'tokenizer_config.json': settings }))

const digits = (individual_digits: boolean) => ({
  type: 'Sequence',
  pretokenizers: [
    { type: 'Digits', individual_digits },
    { type: 'ByteLevel', add_prefix_space: false },
  ],
})

describe('a byte-level tokenizer.json', () => {
  test('takes words before merges, merges by rank, and BOS in front', async () => {
    const tokenizer = await open()
    assert.deepEqual(tokenizer.encode('hello wing'), [262, 260, 258, 257])
    assert.deepEqual(tokenizer.encode(' why', { specialTokens: false }), [259, code('y')])
    assert.deepEqual(tokenizer.encode('<|begin_of_text|>in'), [262, 256])
    assert.deepEqual(tokenizer.encode('in<|end_of_text|>'), [262, 256, 263])
    assert.equal(tokenizer.token(261), '__proto__')
    const { vocabularySize, bosId, eosId, padId } = tokenizer
    assert.deepEqual(
      { vocabularySize, bosId, eosId, padId },
      { vocabularySize: 264, bosId: 262, eosId: 263, padId: null },
    )
  })

  test('knows the usual special tokens where there is nothing but tokenizer.json, but not against the settings', async () => {
    const alone = await loadTokenizer(tokenizerFolder({ 'tokenizer.json': llama3Like() }))
    assert.deepEqual([alone.bosId, alone.eosId, alone.padId], [262, 263, null])
    const without = await open(llama3Like(), { ...llama3Settings, bos_token: null })
    assert.deepEqual([without.bosId, without.bosToken], [null, null])
  })

  test('gives back every text, also where bytes of one character are several tokens', async () => {
    const tokenizer = await open()
    for (const text of ["  it's 12345 , ok !\r\n\n\t", '🦙 中文 naïve \u00a0', "don 't , and n't", '\u0000\u007f']) {
      assert.equal(tokenizer.decode(tokenizer.encode(text)), text)
    }
  })

  test('tidies blanks before punctuation only where the settings say so', async () => {
    const tidy = await open(llama3Like(), { ...llama3Settings, clean_up_tokenization_spaces: true })
    assert.equal(tidy.decode(tidy.encode('a , b')), 'a, b')
  })

  test('takes tokens that only the settings, the map of special tokens or added_tokens.json name', async () => {
    const folder = tokenizerFolder({
      'tokenizer.json': llama3Like(),
      'tokenizer_config.json': {
        ...llama3Settings,
        added_tokens_decoder: { 264: { content: '<|im_end|>', special: true } },
      },
      'special_tokens_map.json': { pad_token: '<|pad|>', eos_token: '<|im_end|>' },
      'added_tokens.json': { '<|pad|>': 265 },
    })
    const tokenizer = await loadTokenizer(folder)
    assert.equal(tokenizer.padId, 265)
    assert.equal(tokenizer.eosId, 263)
    assert.equal(tokenizer.vocabularySize, 266)
    const ids = tokenizer.encode('in<|im_end|><|pad|>')
    assert.deepEqual(ids, [262, 256, 264, 265])
    assert.equal(tokenizer.decode(ids), 'in')
  })

  test('builds the template of Llama classes from add_bos_token and add_eos_token', async () => {
    const settings = {
      ...llama3Settings,
      tokenizer_class: 'LlamaTokenizerFast',
      add_bos_token: false,
      add_eos_token: true,
    }
    assert.deepEqual((await open(llama3Like(), settings)).encode('in'), [256, 263])
    const json = { ...llama3Like(), post_processor: null }
    assert.deepEqual(
      (await open(json, { ...llama3Settings, tokenizer_class: 'LlamaTokenizer' })).encode('in'),
      [262, 256],
    )
    assert.deepEqual((await open(json)).encode('in'), [256])
  })

  test('cuts at everything that is numeric, as the Rust library does', async () => {
    const json = llama3Like()
    json.model.vocab['\u0120\u00c2'] = 300
    json.model.vocab['11'] = 301
    json.model.merges.push('\u0120 \u00c2', '1 1')
    const encode = async (individual: boolean) =>
      (await open({ ...json, pre_tokenizer: digits(individual) })).encode('11 \u00bd', { specialTokens: false })
    assert.deepEqual(await encode(true), [49, 49, 32, 194, 189])
    assert.deepEqual(await encode(false), [301, 32, 194, 189])
  })

  test('starts a word at each blank of a Metaspace that splits, and not of one that does not', async () => {
    const vocab = { '\u2581': 0, a: 1, '\u2581a': 2, '\u2581\u2581': 3 }
    const merges = [['\u2581', '\u2581'], ['\u2581', 'a']] // oxfmt-ignore
    const json = { model: { type: 'BPE', vocab, merges }, decoder: { type: 'Metaspace' } }
    const metaspace = { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'never' }
    const splits = await open({ ...json, pre_tokenizer: metaspace }, {})
    assert.deepEqual(splits.encode('a  a'), [1, 0, 2])
    const whole = await open({ ...json, pre_tokenizer: { ...metaspace, split: false } }, {})
    assert.deepEqual(whole.encode('a  a'), [1, 3, 1])
  })
})

test('texts are divided only where no token holds the two characters side by side', () => {
  const split = splitAtBoundaries(null, ['_', 'a', 'b', '_a', '__', 'ab', '🦙'])
  assert.deepEqual(split('__ab_ba__', {}), ['__ab', '_', 'b', 'a', '__'])
  assert.deepEqual(split('a🦙🦙🐪', {}), ['a', '🦙', '🦙', '🐪'])
})

const refuses = async (files: Record<string, Uint8Array | string | object>, message: RegExp) =>
  assert.rejects(loadTokenizer(tokenizerFolder(files)), (error: Error) => {
    assert.equal(error.name, 'SecateurError')
    assert.match(error.message, message)
    return true
  })

describe('broken tokenizer files are refused with the file and the field', () => {
  const changed = (change: (json: ReturnType<typeof llama3Like>) => void) => {
    const json = llama3Like()
    change(json)
    return { 'tokenizer.json': json }
  }
  const json = { 'tokenizer.json': llama3Like() }

  test('no tokenizer, not JSON, no model', async () => {
    await refuses({}, /holds neither tokenizer.json nor tokenizer.model/)
    await refuses({ 'tokenizer.json': '{"model": {' }, /tokenizer\.json: is not JSON/)
    await refuses({ 'tokenizer.json': '[]' }, /tokenizer\.json/)
    await refuses({ 'tokenizer.json': {} }, /tokenizer\.json: model: /)
  })
  test('a vocabulary that contradicts itself', async () => {
    await refuses(
      changed(({ model }) => (model.vocab['zz'] = 5)),
      /json: model\.vocab: gives 'zz' the id 5 of/,
    )
    await refuses(
      changed(({ model }) => (model.vocab['zz'] = -1)),
      /model\.vocab\.zz: must be an id/,
    )
    await refuses(
      changed(({ model }) => (model.vocab['zz'] = 4e9)),
      /model\.vocab\.zz: must be an id/,
    )
    await refuses(
      changed(({ model }) => model.merges.push('q z')),
      /model\.merges\.4: needs the token 'qz'/,
    )
    await refuses(
      changed(({ model }) => model.merges.push('in')),
      /model\.merges\.4: must be two tokens/,
    )
    await refuses(
      changed(({ added_tokens }) => added_tokens.push(special(0, '<x>'))),
      /added_tokens\.2: gives '<x>' the id 0/,
    )
    await refuses(
      changed(({ added_tokens }) => added_tokens.push(special(400, 'hello'))),
      /added_tokens\.2: .*id 400/,
    )
  })
  test('components that are unknown or would be read wrongly', async () => {
    const split = { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithPrevious' }
    await refuses(
      changed((file) => (file.pre_tokenizer = split)),
      /pre_tokenizer\.behavior: "MergedWithPrevious"/,
    )
    await refuses(
      changed((file) => (file.normalizer = { type: 'Nonsense' })),
      /cannot be used: .*Nonsense/,
    )
    await refuses(
      changed((file) => (file.normalizer = { type: 'Sequence', normalizers: [null] })),
      /cannot be used/,
    )
    await refuses(
      changed((file) => (file.post_processor = { type: 'TemplateProcessing' })),
      /cannot be used/,
    )
    await refuses(
      changed(({ model }) => (model.type = 'WordPiece')),
      /model\.type: is 'WordPiece'/,
    )
  })
  test('settings that would give other ids than the Rust library does', async () => {
    const alone = { ...special(264, 'foo'), special: false, single_word: true }
    await refuses(
      changed(({ added_tokens }) => added_tokens.push(alone)),
      /tokenizer\.json: added_tokens\.2\.single_word: is true: that 'foo' is a token where it is a word of its own/,
    )
    await refuses(
      { ...json, 'tokenizer_config.json': { added_tokens_decoder: { 263: { ...alone, content: '<|end_of_text|>' } } } },
      /tokenizer_config\.json: added_tokens_decoder\.263\.single_word: is true/,
    )
    await refuses(
      changed(({ model }) => Object.assign(model, { dropout: 0.1 })),
      /model\.dropout: 0\.1, which gives a text other ids each time, is not supported/,
    )
  })
  test('tokenizers of another kind, and files that were not fetched', async () => {
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n'
    await refuses({ 'tokenizer.json': pointer }, /tokenizer\.json: is a Git LFS pointer/)
    await refuses({ 'tokenizer.model': pointer }, /tokenizer\.model: is a Git LFS pointer/)
    const ranks = Array.from({ length: 300 }, (_, id) => `${Buffer.from([id % 256, 1]).toString('base64')} ${id}\n`)
    await refuses(
      { 'tokenizer.model': ranks.join('') },
      /tokenizer\.model: is a tiktoken file, not a SentencePiece model/,
    )
    await refuses({ 'vocab.json': '{}', 'merges.txt': '' }, /but merges\.txt, .*let transformers write tokenizer\.json/)
    await refuses({ 'tekken.json': '{}' }, /but tekken\.json/)
  })
  test('settings of a wrong type', async () => {
    await refuses({ ...json, 'tokenizer_config.json': { bos_token: 5 } }, /tokenizer_config\.json: bos_token/)
    await refuses({ ...json, 'tokenizer_config.json': '{' }, /tokenizer_config\.json: is not JSON/)
    await refuses({ ...json, 'special_tokens_map.json': { eos_token: [] } }, /special_tokens_map\.json: eos_token/)
    await refuses({ ...json, 'added_tokens.json': { '<x>': 'one' } }, /added_tokens\.json: <x>/)
    await refuses({ ...json, 'added_tokens.json': { '<x>': 3 } }, /gives '<x>' the id 3/)
  })
  test('a file too large to be a tokenizer', async () => {
    await refuses(
      { ...json, 'tokenizer_config.json': new Uint8Array(9 * 2 ** 20) },
      /tokenizer_config\.json: has 9437184 bytes/,
    )
  })
})
