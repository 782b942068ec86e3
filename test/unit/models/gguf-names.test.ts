import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { ggufTensors, rowsFromGguf, rowsToGguf } from '../../../engine/models/gguf.ts'
import { type FixtureName, fixtureModel } from '../../fixtures/read.ts'

function tensorsOf(name: FixtureName) {
  using checkpoint = openCheckpoint(fixtureModel(name))
  return new Map(ggufTensors(checkpoint.config, checkpoint.folder).map((tensor) => [tensor.spec.name, tensor]))
}

test('a Llama has the names of llama.cpp, and rows of queries and keys in its order', () => {
  const tensors = tensorsOf('llama_gqa')
  assert.deepEqual(
    [...tensors.values()].slice(0, 10).map(({ name }) => name),
    [
      'token_embd.weight',
      'blk.0.attn_norm.weight',
      'blk.0.attn_q.weight',
      'blk.0.attn_k.weight',
      'blk.0.attn_v.weight',
      'blk.0.attn_output.weight',
      'blk.0.ffn_norm.weight',
      'blk.0.ffn_gate.weight',
      'blk.0.ffn_up.weight',
      'blk.0.ffn_down.weight',
    ],
  )
  assert.equal(tensors.get('model.norm.weight')!.name, 'output_norm.weight')
  assert.ok(tensors.get('model.layers.1.self_attn.k_proj.weight')!.headRows)
  assert.equal(tensors.get('model.layers.1.self_attn.v_proj.weight')!.headRows, null)
})

test('Qwen rotates halves, and has biases and norms of heads', () => {
  const second = tensorsOf('qwen2_bias_tied')
  assert.equal(second.get('model.layers.0.self_attn.q_proj.bias')!.name, 'blk.0.attn_q.bias')
  assert.equal(second.get('model.layers.0.self_attn.q_proj.bias')!.headRows, null)
  const third = tensorsOf('qwen3_norm_headdim')
  assert.equal(third.get('model.layers.1.self_attn.k_norm.weight')!.name, 'blk.1.attn_k_norm.weight')
})

test('Gemma 3 stores its norms with their 1, under names of their own', () => {
  const tensors = tensorsOf('gemma3_text')
  const nameOf = (norm: string) => tensors.get(`model.layers.0.${norm}_layernorm.weight`)!.name
  assert.equal(tensors.get('model.norm.weight')!.added, 1)
  assert.equal(nameOf('post_attention'), 'blk.0.post_attention_norm.weight')
  assert.equal(nameOf('pre_feedforward'), 'blk.0.ffn_norm.weight')
  assert.equal(nameOf('post_feedforward'), 'blk.0.post_ffw_norm.weight')
})

test('Phi-3 keeps its fused weights', () => {
  const tensors = tensorsOf('phi3_fused')
  assert.equal(tensors.get('model.layers.0.self_attn.qkv_proj.weight')!.name, 'blk.0.attn_qkv.weight')
  assert.equal(tensors.get('model.layers.0.mlp.gate_up_proj.weight')!.name, 'blk.0.ffn_up.weight')
})

test('rows come in pairs of both halves of a head, and back', () => {
  // Two heads of four rows, two bytes a row.
  const bytes = Uint8Array.from([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7])
  const turned = rowsToGguf(bytes, 8, 4)
  assert.deepEqual([...turned], [0, 0, 2, 2, 1, 1, 3, 3, 4, 4, 6, 6, 5, 5, 7, 7])
  assert.deepEqual(rowsFromGguf(turned, 8, 4), bytes)
  const wide = Uint8Array.from({ length: 48 }, (_, i) => i)
  assert.deepEqual(rowsFromGguf(rowsToGguf(wide, 12, 6), 12, 6), wide)
})
