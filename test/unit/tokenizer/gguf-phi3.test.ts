import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nameFor } from '../../../engine/tokenizer/gguf-phi3.ts'

const own = ['<unk>', '<s>', '</s>', '<|endoftext|>', '<|user|>']

test("a tokenizer that drops blanks as Phi-3's gets a name that makes llama.cpp do so", () => {
  const tokenizer = { tokens: own, dropsBlanks: true }
  assert.equal(nameFor('output', tokenizer), 'Phi-3 output')
  assert.equal(nameFor('Phi-3-mini-pruned', tokenizer), 'Phi-3-mini-pruned')
  assert.equal(nameFor('my-phi3', tokenizer), 'my-phi3')
})

test('other tokenizers get no such name: it would drop blanks, or keep the file from loading', () => {
  assert.equal(nameFor('my-phi3-PHI-3', { tokens: own, dropsBlanks: false }), 'my-Phi 3-Phi 3')
  assert.equal(nameFor('phi3_fused', { tokens: ['<s>', '</s>'], dropsBlanks: true }), 'Phi 3_fused')
  assert.equal(nameFor('output', { tokens: ['<s>', '</s>'], dropsBlanks: false }), 'output')
  assert.equal(nameFor('phi3', null), 'phi3')
})
