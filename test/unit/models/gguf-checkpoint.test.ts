import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { toFloat32 } from '../../../engine/checkpoint/dtype.ts'
import { dequantise } from '../../../engine/checkpoint/gguf/dequantise.ts'
import { type Checkpoint, configOf, openCheckpoint } from '../../../engine/models/checkpoint.ts'
import type { DecoderConfig } from '../../../engine/models/decoder-config.ts'
import { writeCheckpoint } from '../../../engine/models/write-checkpoint.ts'
import { FIXTURES, fixtureModel } from '../../fixtures/read.ts'
import { ggufBytes, type Key, type Tensor, writeGguf } from '../checkpoint/gguf/bytes.ts'
import { blocksOf, changed, ggufOf, ggufParts } from './gguf-file.ts'

/** What a file cannot say of the fixtures: no released model has it. */
const unsaid: Partial<Record<(typeof FIXTURES)[number], (config: DecoderConfig) => Partial<DecoderConfig>>> = {
  gemma3_text: ({ headSize }) => ({ attentionScale: 1 / Math.sqrt(headSize) }),
  smollm3_nope: ({ layers }) => ({
    layers: layers.map((layer) => ({ ...layer, attention: { rotary: true, sliding: false } })),
  }),
}

describe('a model of every family is read from GGUF as from its folder', () => {
  for (const name of FIXTURES) {
    test(name, (context) => {
      using folder = openCheckpoint(fixtureModel(name))
      if (folder.config.layers.some(({ keyValueHeadOf }) => keyValueHeadOf))
        return context.skip('not to be said in GGUF')
      using gguf = openCheckpoint(writeGguf(context, ggufOf(folder)))
      const { source: _, ...config } = gguf.config as DecoderConfig
      const { source: __, ...expected } = folder.config as DecoderConfig
      assert.deepEqual(config, { ...expected, ...unsaid[name]?.(expected as DecoderConfig) })
      assert.deepEqual([...gguf.tensors.keys()], [...folder.tensors.keys()])
      assert.equal(gguf.quantisation, null)
      assert.deepEqual(gguf.warnings, [])
      for (const tensor of folder.tensors.keys()) {
        const [one, other] = [toFloat32(gguf.read(tensor)), toFloat32(folder.read(tensor))]
        // 1 + w of Gemma's norms was rounded in the file.
        const slack = name === 'gemma3_text' && tensor.includes('norm') ? 2 ** -23 : 0
        assert.ok(
          one.every((value, i) => Math.abs(value - other[i]!) <= slack),
          tensor,
        )
      }
    })
  }
})

test('rows of a weight are those of the whole, wherever they begin', (context) => {
  using folder = openCheckpoint(fixtureModel('llama_gqa'))
  using gguf = openCheckpoint(writeGguf(context, ggufOf(folder)))
  for (const name of ['model.layers.0.self_attn.q_proj.weight', 'model.layers.1.input_layernorm.weight']) {
    const whole = toFloat32(gguf.read(name))
    const rows = gguf.tensors.get(name)!.shape[0]!
    const width = whole.length / rows
    for (const [first, count] of [
      [0, 1],
      [3, 4],
      [rows - 1, 1],
      [5, rows - 5],
    ] as const)
      assert.deepEqual(toFloat32(gguf.rowsOf(name, first, count)), whole.slice(first * width, (first + count) * width))
  }
})

const wide = 'blk.1.ffn_down.weight'

/** A model some of whose weights are quantised: rows of feed-forward outputs are widened to a block. */
function quantised(context: TestContext): { path: string; tensors: Tensor[]; open: () => Checkpoint } {
  using folder = openCheckpoint(fixtureModel('llama_gqa'))
  const { keys, tensors } = ggufParts(folder)
  const channels = 64
  const widened = changed(tensors, ({ name, shape }) => {
    if (/ffn_(gate|up)/.test(name)) return { name, shape: [channels, shape[1]!], type: 'F16' }
    if (!name.includes('ffn_down')) return null
    const type = name === wide ? 'Q8_0' : 'Q4_0'
    return { name, shape: [shape[0]!, channels], type, data: blocksOf(type, Number(shape[0]) * channels, 0.01) }
  })
  const other: Key[] = keys.map((key) =>
    !Buffer.isBuffer(key) && key[0] === 'llama.feed_forward_length' ? [key[0], 'uint32', channels] : key,
  )
  const path = writeGguf(context, ggufBytes({ keys: other, tensors: widened }))
  return { path, tensors: widened, open: () => openCheckpoint(path) }
}

test('quantised weights are read exactly, and the checkpoint says what they were', async (context) => {
  const { path, tensors, open } = quantised(context)
  using checkpoint = open()
  const stored = tensors.find(({ name }) => name === wide)!
  const read = checkpoint.read('model.layers.1.mlp.down_proj.weight')
  assert.equal(read.dtype, 'float32')
  assert.deepEqual(toFloat32(read), toFloat32(dequantise('Q8_0', stored.data!)))
  assert.equal(checkpoint.read('model.layers.0.mlp.up_proj.weight').dtype, 'float16')
  const { types, bitsPerWeight } = checkpoint.quantisation!
  assert.deepEqual(Object.keys(types).sort(), ['F16', 'F32', 'Q4_0', 'Q8_0'])
  assert.ok(bitsPerWeight > 8 && bitsPerWeight < 32)
  assert.match(checkpoint.warnings.join(), /model\.gguf is quantised, to [\d.]+ bits for a weight \(F32, F16, Q/)

  const out = join(path, '..', 'folder')
  await writeCheckpoint(out, {
    config: checkpoint.config,
    dtype: 'float32',
    tensors: [...checkpoint.tensors.keys()].map((name) => checkpoint.read(name)),
    tokenizerFrom: checkpoint.folder,
  })
  using written = openCheckpoint(out)
  const json = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')) as Record<string, unknown>
  assert.equal(json['model_type'], 'llama')
  assert.deepEqual({ ...written.config, source: {} }, { ...configOf(path), source: {} })
  for (const name of checkpoint.tensors.keys())
    assert.deepEqual(toFloat32(written.read(name)), toFloat32(checkpoint.read(name)), name)
})

const extra = (name: string): Tensor => ({ name, shape: [4] })

test('a file that contradicts itself, or says what is not supported, is refused by key or tensor', (context) => {
  using folder = openCheckpoint(fixtureModel('llama_gqa'))
  const { keys, tensors } = ggufParts(folder)
  const without = (name: string) => keys.filter((key) => Buffer.isBuffer(key) || key[0] !== name)
  const set = (...[name, type, value]: Exclude<Key, Buffer>): Key[] => [...without(name), [name, type, value]]
  const cases: [Key[], Tensor[], RegExp][] = [
    [without('general.architecture'), tensors, /general\.architecture: is missing/],
    [
      set('general.architecture', 'string', 'mamba'),
      tensors,
      /general\.architecture: "mamba" is not read; read are llama, deci, qwen2/,
    ],
    [set('general.type', 'string', 'adapter'), tensors, /general\.type: is "adapter"/],
    [set('llama.expert_count', 'uint32', 8), tensors, /llama\.expert_count: is 8: mixtures of experts/],
    [without('llama.block_count'), tensors, /llama\.block_count: is missing/],
    [set('llama.block_count', 'uint32', 4_000_000_000), tensors, /llama\.block_count: is 4000000000/],
    [
      set('llama.block_count', 'uint32', 3),
      tensors,
      /blk\.2\.attn_norm\.weight: is missing from the weights, .* \(with 8 others/,
    ],
    [
      set('llama.block_count', 'uint32', 1),
      tensors,
      /blk\.1\..*: is not part of the model that the keys describe \(nor are 8/,
    ],
    [
      set('llama.attention.head_count', ['int32'], [4]),
      tensors,
      /llama\.attention\.head_count: has 1 entries for 2 layers/,
    ],
    [set('llama.attention.head_count', 'uint32', 0), tensors, /llama\.attention\.head_count: is 0/],
    [set('llama.rope.dimension_count', 'uint32', 2), tensors, /llama\.rope\.dimension_count: is 2; only 16/],
    [set('llama.rope.scaling.type', 'string', 'yarn'), tensors, /llama\.rope\.scaling\.type: is "yarn"/],
    [
      set('llama.feed_forward_length', 'uint32', 47),
      tensors,
      /blk\.0\.ffn_gate\.weight: has shape \[\d+,\d+\]; by the keys it must be \[47,\d+\]/,
    ],
    [keys, [...tensors, extra('blk.0.attn_sinks.weight')], /blk\.0\.attn_sinks\.weight: is not part of the model/],
    [keys, [...tensors, extra('rope_factors_long.weight')], /rope_factors_long\.weight: rotary scaling "longrope"/],
    [
      keys,
      [
        ...tensors,
        { ...extra('rope_freqs.weight'), shape: [3], data: new Uint8Array(Float32Array.of(2, 3, 1).buffer) },
      ],
      /rope_freqs\.weight: scales rotary frequencies in another way/,
    ],
    [
      keys,
      changed(tensors, (tensor) =>
        tensor.name === 'output_norm.weight' ? { name: tensor.name, shape: tensor.shape, type: 'F64' } : null,
      ),
      /output_norm\.weight: is F64, which is not read/,
    ],
  ]
  for (const [otherKeys, otherTensors, message] of cases)
    assert.throws(() => openCheckpoint(writeGguf(context, ggufBytes({ keys: otherKeys, tensors: otherTensors }))), {
      message,
    })
})

test('linear scaling and stop tokens of conversations are read', (context) => {
  using folder = openCheckpoint(fixtureModel('llama_gqa'))
  const { keys, tensors } = ggufParts(folder)
  const more: Key[] = [
    ...keys,
    ['llama.rope.scaling.type', 'string', 'linear'],
    ['llama.rope.scaling.factor', 'float32', 4],
    ['tokenizer.ggml.eot_token_id', 'uint32', 7],
  ]
  const config = configOf(writeGguf(context, ggufBytes({ keys: more, tensors }))) as DecoderConfig
  assert.deepEqual(config.ropeScaling, { type: 'linear', factor: 4 })
  assert.deepEqual(config.eosIds, [2, 7])
})
