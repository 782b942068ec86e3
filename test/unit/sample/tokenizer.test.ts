import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tokenizer } from '@huggingface/tokenizers'
import { byteLetters, learnMerges } from '../../../scripts/make-sample/bpe.ts'
import { sampleSeed } from '../../../scripts/make-sample/recipe.ts'
import { trainTokenizer } from '../../../scripts/make-sample/train-tokenizer.ts'
import { trainingText } from '../../../scripts/make-sample/training-text.ts'

test('the merges of the paper on byte-pair encoding come out', () => {
  // Sennrich et al. 2016, algorithm 1: low 5, lower 2, newest 6, widest 3. There "es", "est" come first, then "lo", "low".
  const words = [
    ...Array(5).fill('low'),
    ...Array(2).fill('lower'),
    ...Array(6).fill('newest'),
    ...Array(3).fill('widest'),
  ]
  const merges = learnMerges(words as string[], 4).map((pair) => pair.join(''))
  assert.deepEqual(merges, ['es', 'est', 'lo', 'low'])
})

test('each byte has its own letter, GPT-2 ones for space and newline', () => {
  assert.equal(new Set(byteLetters).size, 256)
  assert.equal(byteLetters[0x20], 'Ġ')
  assert.equal(byteLetters[0x0a], 'Ċ')
  assert.equal(byteLetters[0x41], 'A')
  assert.equal(byteLetters[0xad], 'Ń')
})

test('too small a text is refused', () => {
  assert.throws(() => learnMerges(['ab ab'], 5), /gives \d merges only, not 5/)
})

const texts = trainingText(sampleSeed, { documents: 3000 })
const { tokenizer: file, config } = trainTokenizer(texts)
const tokenizer = new Tokenizer(file, config)

test('the tokenizer gives back every text, also one of no known letters, and puts BOS in front', () => {
  for (const text of [...texts.slice(0, 500), 'Zażółć gęślą jaźń 你好 🙂\t\0 a  b\r\n']) {
    const { ids } = tokenizer.encode(text)
    assert.equal(ids[0], 1)
    assert.ok(ids.every((id: number) => id > 0 && id < 2048))
    const options = { skip_special_tokens: true, clean_up_tokenization_spaces: false }
    assert.equal(tokenizer.decode(ids, options), text)
  }
})

test('words of the world are short in tokens', () => {
  const characters = texts.join('').length
  const tokens = texts.reduce((sum, text) => sum + tokenizer.encode(text).ids.length, 0)
  assert.ok(characters / tokens > 2.5, `${characters / tokens} characters a token`)
})
