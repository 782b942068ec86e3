import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generalName } from '../../../engine/export/gguf/general-name.ts'

const own = ['<unk>', '<s>', '</s>', '<|endoftext|>', '<|user|>']

test("a tokenizer that drops blanks as Phi-3's gets a name that makes llama.cpp do so", () => {
  const tokenizer = { tokens: own, dropsBlanks: true }
  assert.equal(generalName('output', tokenizer), 'Phi-3 output')
  assert.equal(generalName('Phi-3-mini-pruned', tokenizer), 'Phi-3-mini-pruned')
  assert.equal(generalName('my-phi3', tokenizer), 'my-phi3')
})

test('other tokenizers get no such name: it would drop blanks, or keep the file from loading', () => {
  assert.equal(generalName('my-phi3-PHI-3', { tokens: own, dropsBlanks: false }), 'my-Phi 3-Phi 3')
  assert.equal(generalName('phi3_fused', { tokens: ['<s>', '</s>'], dropsBlanks: true }), 'Phi 3_fused')
  assert.equal(generalName('output', { tokens: ['<s>', '</s>'], dropsBlanks: false }), 'output')
  assert.equal(generalName('phi3', null), 'phi3')
})
