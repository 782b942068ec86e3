import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { companionsOf } from '../../../engine/tokenizer/companions.ts'
import { loadTokenizer } from '../../../engine/tokenizer/tokenizer.ts'
import { ggufBytes, type Key, writeGguf } from '../checkpoint/gguf/bytes.ts'
import { byteCharacters, needs, shared, tokenizerFolder } from './tokenizer-folder.ts'

const spm = 'tokenizer/ggml-vocab-llama-spm.gguf'
const { normal, control, userDefined, unused } = { normal: 1, control: 3, userDefined: 4, unused: 5 }

/** Bytes, a few merges, a word without merges, and tokens that are none of these. */
const tokens = [...byteCharacters, 'in', 'ing', '\u0120w', 'hello', '<|begin|>', '<|end|>', '<tool>', '[PAD263]']
const types = tokens.map((_, id) => (id < 260 ? normal : id < 262 ? control : id === 262 ? userDefined : unused))
const template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}{{ eos_token }}{% endfor %}"
const bytePairKeys = {
  model: ['tokenizer.ggml.model', 'string', 'gpt2'],
  pre: ['tokenizer.ggml.pre', 'string', 'llama-bpe'],
  tokens: ['tokenizer.ggml.tokens', ['string'], tokens],
  types: ['tokenizer.ggml.token_type', ['int32'], types],
  merges: ['tokenizer.ggml.merges', ['string'], ['i n', 'in g', '\u0120 w']],
  bos: ['tokenizer.ggml.bos_token_id', 'uint32', 260],
  eos: ['tokenizer.ggml.eos_token_id', 'uint32', 261],
  template: ['tokenizer.chat_template', 'string', template],
} as const satisfies Record<string, Key>

type Keys = Partial<Record<string, Key>>
const fileOf = (context: TestContext, keys: Keys) =>
  writeGguf(context, ggufBytes({ keys: Object.values(keys).filter((key) => key !== undefined) }))
const bytePair = (context: TestContext, changed: Keys = {}) => fileOf(context, { ...bytePairKeys, ...changed })

describe('the tokenizer of a GGUF file', () => {
  test('of byte pairs gives ids, special tokens and conversations', async (context) => {
    const tokenizer = await loadTokenizer(bytePair(context))
    assert.deepEqual(tokenizer.encode('hello wing'), [260, 259, 258, 257])
    assert.deepEqual(tokenizer.encode('ing<|end|>[PAD263]', { specialTokens: false }).slice(0, 3), [257, 261, 91])
    assert.deepEqual(tokenizer.encode('a<tool>b', { specialTokens: false }), [97, 262, 98])
    assert.equal(tokenizer.decode([260, 105, 262, 261]), 'i<tool>')
    const { bosId, eosId, padId } = tokenizer
    assert.deepEqual({ bosId, eosId, padId }, { bosId: 260, eosId: 261, padId: null })
    assert.equal(tokenizer.chat([{ role: 'user', content: 'hi' }]), 'user: hi<|end|>')
  })

  test('puts tokens around texts as its keys say', async (context) => {
    const without = bytePair(context, { add: ['tokenizer.ggml.add_bos_token', 'bool', false] })
    assert.deepEqual((await loadTokenizer(without)).encode('in'), [256])
    const after = bytePair(context, { add: ['tokenizer.ggml.add_eos_token', 'bool', true] })
    assert.deepEqual((await loadTokenizer(after)).encode('in'), [260, 256, 261])
  })

  test('cuts texts as the name in "pre" says', async (context) => {
    const joined = [...byteCharacters, '12', '\u0120\u00c2', '\u0120a']
    const encode = async (pre: string) => {
      const keys: Keys = {
        model: bytePairKeys.model,
        pre: ['tokenizer.ggml.pre', 'string', pre],
        tokens: ['tokenizer.ggml.tokens', ['string'], joined],
        merges: ['tokenizer.ggml.merges', ['string'], ['1 2', '\u0120 \u00c2']],
      }
      return (await loadTokenizer(fileOf(context, keys))).encode('12 \u00bd a', { specialTokens: false })
    }
    // Whole numbers, single digits, numbers beyond ASCII, and a word without merges.
    assert.deepEqual(await encode('gpt-2'), [256, 257, 189, 32, 97])
    assert.deepEqual(await encode('llama-bpe'), [256, 32, 194, 189, 258])
    assert.deepEqual(await encode('qwen2'), [49, 50, 32, 194, 189, 32, 97])
    assert.deepEqual(await encode('smollm'), [49, 50, 32, 194, 189, 32, 97])
    assert.deepEqual(await encode('tekken'), [49, 50, 32, 194, 189, 258])
    assert.deepEqual(await encode('gpt-4o'), [256, 32, 194, 189, 32, 97])
  })

  test('of SentencePiece gives the ids of every llama.cpp case', needs(spm), async () => {
    const tokenizer = await loadTokenizer(shared(spm))
    const cases = readFileSync(shared(`${spm}.inp`), 'utf8').split('\n__ggml_vocab_test__\n')
    const expected = readFileSync(shared(`${spm}.out`), 'utf8').split('\n')
    for (const [index, text] of cases.entries())
      assert.equal(tokenizer.encode(text, { specialTokens: false }).join(' '), expected[index]!.trim(), text)
    assert.deepEqual(tokenizer.encode('Hello'), [1, 15043])
    assert.deepEqual(tokenizer.encode('<unk>', { specialTokens: false }), [529, 2960, 29958])
  })

  test('of SentencePiece may have tokens that no text is', async (context) => {
    const pieces = ['<unk>', '<s>', '</s>', '\u2581', 'a', '\u2581a', '[PAD6]']
    const keys: Keys = {
      model: ['tokenizer.ggml.model', 'string', 'llama'],
      tokens: ['tokenizer.ggml.tokens', ['string'], pieces],
      types: ['tokenizer.ggml.token_type', ['int32'], [2, 3, 3, 1, 1, 1, 5]],
      scores: ['tokenizer.ggml.scores', ['float32'], [0, 0, 0, -1, -2, -0.5, -1000]],
      bos: ['tokenizer.ggml.bos_token_id', 'uint32', 1],
      unknown: ['tokenizer.ggml.unknown_token_id', 'uint32', 0],
    }
    const tokenizer = await loadTokenizer(fileOf(context, keys))
    assert.deepEqual(tokenizer.encode('a a'), [1, 5, 5])
    assert.ok(!tokenizer.encode('[PAD6]').includes(6))
    const bare = fileOf(context, { ...keys, prefix: ['tokenizer.ggml.add_space_prefix', 'bool', false] })
    assert.deepEqual((await loadTokenizer(bare)).encode('a a'), [1, 4, 5])
  })

  test("of Phi-3, which its name alone tells, drops blanks after special tokens as the model's own", async (context) => {
    const pieces = ['<unk>', '<s>', '</s>', '\u2581', 'a', '\u2581a', '<|user|>']
    const keys: Keys = {
      model: ['tokenizer.ggml.model', 'string', 'llama'],
      tokens: ['tokenizer.ggml.tokens', ['string'], pieces],
      types: ['tokenizer.ggml.token_type', ['int32'], [2, 3, 3, 1, 1, 1, 3]],
      scores: ['tokenizer.ggml.scores', ['float32'], [0, 0, 0, -1, -2, -0.5, 0]],
    }
    const encode = async (name: string) => {
      const file = fileOf(context, { ...keys, name: ['general.name', 'string', name] })
      return (await loadTokenizer(file)).encode('<|user|> a<s> a', { specialTokens: false })
    }
    assert.deepEqual(await encode('Phi-3 mini'), [6, 5, 1, 3, 5])
    assert.deepEqual(await encode('Phi 2'), [6, 3, 5, 1, 3, 5])
  })

  test('is the same once it is written as files of a folder', async (context) => {
    const file = bytePair(context)
    const companions = companionsOf(file)
    const names = ['tokenizer.json', 'tokenizer_config.json']
    const documents = await Promise.all(names.map(async (name) => [name, (await companions.json(name, 1e9)) as object]))
    const folder = await loadTokenizer(tokenizerFolder(Object.fromEntries(documents) as Record<string, object>))
    const own = await loadTokenizer(file)
    for (const text of ['hello wing', ' <tool>\u00bd 123<|end|>', ''])
      assert.deepEqual(folder.encode(text), own.encode(text))
  })

  test('is refused with the key that is wrong', async (context) => {
    const cases: [Keys, RegExp][] = [
      [{ model: undefined }, /model\.gguf: has no tokenizer: it lacks the key tokenizer\.ggml\.model/],
      [{ model: ['tokenizer.ggml.model', 'string', 'no_vocab'] }, /model\.gguf: has no tokenizer: .* that it has none/],
      [{ model: ['tokenizer.ggml.model', 'string', 'bert'] }, /tokenizer\.ggml\.model: is "bert"; llama/],
      [{ pre: undefined }, /tokenizer\.ggml\.pre: is missing, as in files of before May 2024/],
      [{ pre: ['tokenizer.ggml.pre', 'string', '__proto__'] }, /tokenizer\.ggml\.pre: is "__proto__"; known are gpt-2/],
      [{ tokens: undefined }, /tokenizer\.ggml\.tokens: is missing/],
      [{ tokens: ['tokenizer.ggml.tokens', ['int32'], [1]] }, /tokenizer\.ggml\.tokens: is a list of int32/],
      [
        { tokens: ['tokenizer.ggml.tokens', ['string'], ['a', 'a']] },
        /tokenizer\.ggml\.tokens\.1: repeats the token 'a'/,
      ],
      [{ types: ['tokenizer.ggml.token_type', ['int32'], [1]] }, /tokenizer\.ggml\.token_type: has 1 entries for 264/],
      [{ types: ['tokenizer.ggml.token_type', ['int32'], [7]] }, /tokenizer\.ggml\.token_type\.0: is 7/],
      [{ merges: undefined }, /tokenizer\.ggml\.merges: is missing/],
      [{ merges: ['tokenizer.ggml.merges', ['string'], ['ab']] }, /tokenizer\.ggml\.merges\.0: is 'ab'/],
      [{ merges: ['tokenizer.ggml.merges', ['string'], ['a b']] }, /model\.merges\.0: needs the token 'ab'/],
      [
        { eos: ['tokenizer.ggml.eos_token_id', 'uint32', 999] },
        /tokenizer\.ggml\.eos_token_id: is 999, but there are 264/,
      ],
      [{ model: ['tokenizer.ggml.model', 'string', 'llama'] }, /tokenizer\.ggml\.scores: is missing/],
    ]
    for (const [keys, message] of cases) await assert.rejects(loadTokenizer(bytePair(context, keys)), { message })
  })
})
