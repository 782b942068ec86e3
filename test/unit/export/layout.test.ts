import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planExport } from '../../../engine/export/gguf/plan.ts'
import { tensorTypeOf } from '../../../engine/export/gguf/tensor-types.ts'
import { configKeys } from '../../../engine/models/gguf-keys.ts'
import type { LayerShape, ModelConfig } from '../../../engine/models/model-config.ts'
import { parseConfig } from '../../../engine/models/registry.ts'

const base = {
  model_type: 'llama',
  vocab_size: 64,
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
}
const configOf = (fields: object): ModelConfig => parseConfig({ ...base, ...fields }, 'config.json')
const withLayers = (layers: LayerShape[], fields: object = {}): ModelConfig => ({ ...configOf(fields), layers })

test('layers that are alike are written as they are', () => {
  const plan = planExport(configOf({}), { type: 'f16', layout: 'auto' }, 'model')
  assert.equal(plan.layout.name, 'stock')
  assert.equal(plan.said, null)
  const keys = plan.tensors.find(({ name }) => name === 'blk.0.attn_k.weight')!
  // Heads of 8 rows, whose halves alternate.
  assert.deepEqual([...keys.rows!].slice(0, 8), [0, 4, 1, 5, 2, 6, 3, 7])
  assert.equal(plan.tensors.find(({ name }) => name === 'blk.0.attn_v.weight')!.rows, null)
})

test('layers that differ go to deci, or are filled up with zeros where that is asked for', () => {
  const config = withLayers([
    { heads: 4, keyValueHeads: 2, channels: 64 },
    { heads: 2, keyValueHeads: 1, channels: 40 },
  ])
  const plan = planExport(config, { type: 'f16', layout: 'auto' }, 'model')
  assert.equal(plan.layout.name, 'deci')
  assert.match(plan.said!, /layer by layer, as the architecture deci: .* MB; filled up with .* zeros.*: .* MB/)
  assert.deepEqual(
    plan.sizes.map(({ layout }) => layout),
    ['deci', 'padded'],
  )
  assert.ok(plan.sizes[0]!.bytes === plan.bytes && plan.sizes[1]!.bytes > plan.bytes)
  const { keys } = configKeys(plan.layout.config, 'model')
  assert.deepEqual(keys.get('deci.feed_forward_length'), { type: 'array', of: 'uint32', value: [64, 40] })
  assert.deepEqual(keys.get('deci.attention.head_count_kv'), { type: 'array', of: 'uint32', value: [2, 1] })
  const padded = planExport(config, { type: 'f16', layout: 'padded' }, 'model')
  assert.deepEqual(padded.layout.config.layers, [
    { heads: 4, keyValueHeads: 2, channels: 64 },
    { heads: 4, keyValueHeads: 2, channels: 64 },
  ])
  const down = padded.tensors.find(({ name }) => name === 'blk.1.ffn_down.weight')!
  assert.deepEqual([...down.columns!].slice(38, 42), [38, 39, -1, -1])
  assert.throws(
    () => planExport(config, { type: 'f16', layout: 'stock' }, 'model'),
    /layout: cannot be written as stock/,
  )
})

test('query heads that left on their own get heads of zeros beside them, or keys of their own', () => {
  const config = withLayers([
    { heads: 3, keyValueHeads: 2, channels: 64, keyValueHeadOf: [0, 0, 1] },
    { heads: 4, keyValueHeads: 2, channels: 40 },
  ])
  const { layout } = planExport(config, { type: 'f32', layout: 'deci' }, 'model')
  assert.deepEqual([...layout.layers[0]!.heads], [0, 1, 2, -1])
  assert.deepEqual([...layout.layers[0]!.keyValueHeads], [0, 1])
  const few = withLayers([{ heads: 6, keyValueHeads: 3, channels: 64, keyValueHeadOf: [1, 0, 0, 0, 2, 0] }])
  const alone = planExport(few, { type: 'f32', layout: 'auto' }, 'model').layout.layers[0]!
  assert.deepEqual([...alone.keyValueHeads], [0, 0, 0, 0, 1, 2])
  assert.deepEqual([...alone.heads], [1, 2, 3, 5, 0, 4])
})

test('Qwen 2 and Phi-3 get as many heads as fill the width of the model', () => {
  const shape = { heads: 2, keyValueHeads: 1, channels: 64 }
  const qwen = withLayers([shape, shape], { model_type: 'qwen2', head_dim: 8 })
  const { layout } = planExport(qwen, { type: 'f32', layout: 'auto' }, 'model')
  assert.equal(layout.name, 'padded')
  assert.deepEqual([...layout.layers[1]!.heads], [0, 1, -1, -1])
  assert.equal(layout.config.layers[0]!.keyValueHeads, 1)
  const wide = withLayers([{ heads: 6, keyValueHeads: 2, channels: 64 }], { model_type: 'qwen2', head_dim: 8 })
  assert.throws(
    () => planExport(wide, { type: 'f32', layout: 'auto' }, 'model'),
    /num_attention_heads: cannot be said in GGUF/,
  )
})

test('channels are filled up to whole blocks where that makes the file smaller', () => {
  const config = configOf({ intermediate_size: 60 })
  const plan = planExport(config, { type: 'q8_0', layout: 'auto' }, 'model')
  assert.equal(plan.layout.config.layers[0]!.channels, 64)
  assert.equal(plan.tensors.find(({ name }) => name === 'blk.0.ffn_down.weight')!.type, 'Q8_0')
  assert.equal(planExport(config, { type: 'f16', layout: 'auto' }, 'model').layout.config.layers[0]!.channels, 60)
})

test('the mixes are those of llama.cpp', () => {
  const config = configOf({
    hidden_size: 256,
    intermediate_size: 512,
    num_hidden_layers: 16,
    tie_word_embeddings: true,
  })
  const down = (layer: number) =>
    tensorTypeOf({ role: { part: 'weight', layer, linears: ['down'] }, shape: [256, 512] }, 'q4_k_m', config)
  assert.deepEqual(
    config.layers.map((_, layer) => (down(layer) === 'Q6_K' ? 6 : 4)),
    [6, 6, 4, 4, 6, 4, 4, 6, 4, 4, 6, 4, 4, 6, 6, 6],
  )
  const embedding = { role: { part: 'embedding', layer: null }, shape: [64, 256] } as const
  assert.equal(tensorTypeOf(embedding, 'q4_k_m', config), 'Q6_K')
  assert.equal(tensorTypeOf(embedding, 'q4_k_m', { ...config, tiedEmbeddings: false }), 'Q4_K')
  assert.equal(tensorTypeOf({ ...embedding, shape: [64, 288] }, 'q4_k_m', { ...config, tiedEmbeddings: false }), 'Q5_0')
  assert.equal(tensorTypeOf({ ...embedding, shape: [64, 100] }, 'q4_0', { ...config, tiedEmbeddings: false }), 'F16')
  const narrow = { role: { part: 'weight', layer: 1, linears: ['o'] }, shape: [64, 32] } as const
  for (const type of ['q8_0', 'q4_0', 'q6_k', 'q4_k_m'] as const)
    assert.equal(tensorTypeOf(narrow, type, config), 'F16')
  assert.equal(tensorTypeOf({ ...narrow, shape: [64, 64] }, 'q8_0', config), 'Q8_0')
})

test('what GGUF cannot say is refused by its field', () => {
  const refused = (fields: object) => () => configKeys(configOf(fields), 'config.json')
  const llama3 = {
    rope_type: 'llama3',
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 64,
  }
  assert.throws(
    refused({ model_type: 'qwen3', rope_scaling: llama3 }),
    /rope_scaling.rope_type: cannot be said in GGUF/,
  )
  assert.throws(refused({ model_type: 'qwen3', attention_bias: true }), /attention_bias: cannot be said in GGUF/)
  assert.throws(refused({ model_type: 'smollm3', no_rope_layers: [0, 1] }), /no_rope_layers: cannot be said in GGUF/)
  const { warnings, keys } = configKeys(configOf({ model_type: 'mistral', sliding_window: 128 }), 'config.json')
  assert.match(warnings[0]!, /at most 128 tokens/)
  assert.deepEqual(keys.get('llama.context_length'), { type: 'uint32', value: 128 })
})
