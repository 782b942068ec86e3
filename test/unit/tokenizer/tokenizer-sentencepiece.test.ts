import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { loadTokenizer } from '../../../engine/tokenizer/tokenizer.ts'
import { needs, shared, tokenizerFolder } from './tokenizer-folder.ts'

const load = (bytes: Uint8Array, others: Record<string, object> = {}) =>
  loadTokenizer(tokenizerFolder({ 'tokenizer.model': bytes, ...others }))

/** The bytes of one more piece, with the fields `rest`. */
const piece = (text: string, ...rest: number[]) => {
  const name = Buffer.from(text)
  return [0x0a, name.length + 2 + rest.length, 0x0a, name.length, ...name, ...rest]
}

describe('a SentencePiece model', needs('stories260K'), () => {
  const file = shared('stories260K/tokenizer.model')
  const model = existsSync(file) ? readFileSync(file) : Buffer.alloc(0)
  /** A field that stands again at the end of a message overrides the first, or is one more of a repeated field. */
  const withField = (...bytes: number[]) => load(Buffer.concat([model, Buffer.from(bytes)]))

  test('takes tokens, special tokens and the template from the files beside it', async () => {
    const tokenizer = await load(model, {
      'tokenizer_config.json': { add_eos_token: true, pad_token: '[PAD]' },
      'added_tokens.json': { '[PAD]': 512 },
    })
    assert.equal(tokenizer.vocabularySize, 513)
    assert.equal(tokenizer.padId, 512)
    assert.deepEqual(tokenizer.encode('a[PAD]'), [1, tokenizer.encode('a')[1], 512, 2])
  })
  test('takes its own special tokens where the settings leave them empty, as those of the first LLaMA do', async () => {
    const empty = { bos_token: '', eos_token: '', unk_token: '' }
    const tokenizer = await load(model, { 'tokenizer_config.json': empty, 'special_tokens_map.json': {} })
    assert.deepEqual([tokenizer.bosToken, tokenizer.bosId, tokenizer.eosId], ['<s>', 1, 2])
  })
  test('keeps extra blanks, or has no blank in front, where its flags say so', async () => {
    const keeps = await withField(0x1a, 2, 0x20, 0)
    assert.equal(keeps.decode(keeps.encode(' a  b ')), ' a  b ')
    const bare = await withField(0x1a, 2, 0x18, 0)
    assert.equal(bare.token(bare.encode('z')[1]!), 'z')
    assert.equal(bare.decode(bare.encode('z a')), 'z a')
  })
  test('cuts out user-defined symbols', async () => {
    const tokenizer = await withField(...piece('<tool>', 0x18, 4))
    assert.equal(tokenizer.encode('a<tool>b')[2], 512)
    assert.equal(tokenizer.decode([512]), '<tool>')
  })
  test('is refused with the field where it is cut off or contradicts itself', async () => {
    await assert.rejects(load(model.subarray(0, 5000)), /tokenizer\.model: is not a SentencePiece model, or is cut off/)
    await assert.rejects(load(Buffer.alloc(0)), /tokenizer\.model: /)
    await assert.rejects(load(Buffer.from('{"not": "a model"}')), /tokenizer\.model: is not a SentencePiece model/)
    await assert.rejects(withField(...piece('a')), /tokenizer\.model: pieces\.512: repeats the piece 'a'/)
    await assert.rejects(withField(...piece('new', 0x18, 9)), /tokenizer\.model: pieces\.512\.type/)
    await assert.rejects(withField(...piece('new', 0x18, 6)), /pieces\.512: is marked as a byte/)
    await assert.rejects(withField(...piece('new', 0x15, 0, 0, 0xc0, 0x7f)), /pieces\.512/)
    await assert.rejects(withField(0x12, 5, 0xc8, 2, 0xa0, 0x8d, 6), /trainer_spec\.bos_id: is 100000/)
  })
  test('is refused as unsupported where it is of another kind', async () => {
    await assert.rejects(withField(0x12, 2, 0x18, 1), /trainer_spec\.model_type: is unigram/)
    await assert.rejects(withField(0x12, 3, 0xc0, 1, 1), /trainer_spec\.treat_whitespace_as_suffix/)
    await assert.rejects(withField(...piece('new', 0x18, 5)), /pieces\.512: is marked as unused/)
    await assert.rejects(withField(0x1a, 3, 0x12, 1, 65), /normalizer_spec\.name: is 'identity'/)
  })
})
