import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { toConfigJson } from '../../../engine/models/registry.ts'
import { parseConfig } from '../../../engine/models/registry.ts'
import type { DecoderConfig } from '../../../engine/models/decoder-config.ts'
import type { ModelConfig } from '../../../engine/models/model-config.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { FIXTURES, fixtureModel, type FixtureName } from '../../fixtures/read.ts'

type Fields = Record<string, unknown>

const sourceOf = (name: FixtureName): Fields =>
  JSON.parse(readFileSync(join(fixtureModel(name), 'config.json'), 'utf8')) as Fields
const parse = (fields: Fields) => parseConfig(fields, 'config.json') as DecoderConfig
const withoutSource = (config: ModelConfig) => ({ ...config, source: null })

const llama = (fields: Fields = {}): Fields => ({ ...sourceOf('llama_gqa'), head_dim: undefined, ...fields })
const qwen2 = (fields: Fields = {}): Fields => ({ ...sourceOf('qwen2_bias_tied'), ...fields })

test('a stock config gives the architecture', () => {
  assert.deepEqual(withoutSource(parse(sourceOf('qwen2_bias_tied'))), {
    source: null,
    family: 'qwen2',
    vocabularySize: 48,
    hiddenSize: 24,
    headSize: 6,
    layers: Array.from({ length: 2 }, () => ({ heads: 4, keyValueHeads: 2, channels: 40 })),
    maxPositions: 128,
    slidingWindow: null,
    normEpsilon: 1e-6,
    ropeTheta: 1e6,
    ropeScaling: null,
    slidingRopeTheta: null,
    attentionScale: 1 / Math.sqrt(6),
    activation: 'silu',
    bias: { queryKeyValue: true, output: false, feedForward: false },
    queryKeyNorm: false,
    branchNorms: false,
    normOffset: 0,
    embeddingScale: 1,
    tiedEmbeddings: true,
    bosId: 1,
    eosIds: [2],
  })
})

test('what differs between families and versions is read', () => {
  assert.equal(parse(sourceOf('mistral_window')).slidingWindow, 4)
  const { sliding_window: _, ...silent } = sourceOf('mistral_window')
  assert.equal(parse(silent).slidingWindow, 4096, 'the window that transformers assumes')
  assert.equal(parse(sourceOf('qwen3_norm_headdim')).queryKeyNorm, true)
  assert.equal(parse(llama()).headSize, 8)
  assert.equal(parse(llama({ head_dim: null })).headSize, 8)
  assert.equal(parse(llama({ num_key_value_heads: undefined })).layers[0]!.keyValueHeads, 4)
  assert.deepEqual(parse(llama({ attention_bias: true, mlp_bias: true })).bias, {
    queryKeyValue: true,
    output: true,
    feedForward: true,
  })
  assert.deepEqual(parse(sourceOf('llama3_rope')).eosIds, [2, 3])
  assert.deepEqual(parse(llama({ eos_token_id: null, bos_token_id: null })).eosIds, [])
  assert.equal(parse(llama({ bos_token_id: null })).bosId, null)
  assert.deepEqual(parse(llama({ eos_token_id: undefined })).eosIds, [2])
})

test('rotary scaling is read in its old, newer and newest form', () => {
  const llama3 = {
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
    rope_type: 'llama3',
  }
  const expected = {
    type: 'llama3',
    factor: 8,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalPositions: 8192,
  }
  assert.deepEqual(parse(llama({ rope_scaling: llama3 })).ropeScaling, expected)
  const newest = parse(llama({ rope_theta: undefined, rope_parameters: { ...llama3, rope_theta: 5e5 } }))
  assert.deepEqual([newest.ropeScaling, newest.ropeTheta], [expected, 5e5])
  const linear = { type: 'linear', factor: 2 }
  assert.deepEqual(parse(llama({ rope_scaling: linear })).ropeScaling, linear)
  assert.deepEqual(parse(llama({ rope_scaling: { rope_type: 'linear', factor: 2 } })).ropeScaling, linear)
  assert.equal(parse(llama({ rope_parameters: { rope_type: 'default', rope_theta: 1e4 } })).ropeScaling, null)
})

test("Qwen's window counts only where it is switched on, for all layers or none", () => {
  assert.equal(parse(qwen2({ use_sliding_window: true, max_window_layers: 0 })).slidingWindow, 4)
  assert.equal(parse(qwen2({ use_sliding_window: true, max_window_layers: 2 })).slidingWindow, null)
  const types = { use_sliding_window: true, layer_types: ['sliding_attention', 'sliding_attention'] }
  assert.equal(parse(qwen2(types)).slidingWindow, 4)
  assert.throws(
    () => parse(qwen2({ use_sliding_window: true, max_window_layers: 1 })),
    /max_window_layers: gives 1 of 2/,
  )
})

const refused: [fields: Fields, field: string, message: RegExp][] = [
  [{ model_type: 'gpt2' }, 'model_type', /"gpt2" is not supported; supported are llama, mistral, qwen2, qwen3/],
  [{ model_type: 'secateur_gpt2' }, 'model_type', /"secateur_gpt2" is not supported/],
  [{ model_type: 'constructor' }, 'model_type', /not supported/],
  [{ model_type: undefined }, 'model_type', /is missing/],
  [{ hidden_act: 'gelu' }, 'hidden_act', /"gelu"; only "silu"/],
  [{ quantization_config: { bits: 4 } }, 'quantization_config', /original 16-bit checkpoint/],
  [{ rope_scaling: { rope_type: 'yarn', factor: 4 } }, 'rope_scaling.rope_type', /"yarn" is not supported/],
  [{ rope_scaling: { type: 'dynamic', factor: 4 } }, 'rope_scaling.rope_type', /"dynamic" is not supported/],
  [{ rope_scaling: { type: 'linear' } }, 'rope_scaling.factor', /is missing/],
  [{ rope_scaling: { rope_type: 'llama3', factor: 8 } }, 'rope_scaling.low_freq_factor', /is missing/],
  [{ partial_rotary_factor: 0.5 }, 'partial_rotary_factor', /is 0.5; only 1/],
  [{ num_attention_heads: 5 }, 'num_attention_heads', /5 heads do not divide hidden_size 32/],
  [{ num_key_value_heads: 3 }, 'num_key_value_heads', /is 3, which does not divide 4/],
  [{ head_dim: 7 }, 'head_dim', /even number/],
  [{ num_hidden_layers: 1e9 }, 'num_hidden_layers', /4096 or less/],
  [{ num_hidden_layers: 0 }, 'num_hidden_layers', /1 or more/],
  [{ hidden_size: '32' }, 'hidden_size', /must be a number, and is "32"/],
  [{ vocab_size: 1e15 }, 'vocab_size', /16777216 or less/],
  [{ secateur_layers: [] }, 'secateur_layers', /only read where model_type/],
]

for (const [fields, field, message] of refused) {
  test(`refuses ${JSON.stringify(fields)}`, () => {
    assert.throws(() => parse(llama(fields)), badField(field, message))
  })
}

test('refuses layers that do not fit the rest of a ragged config', () => {
  const uneven = { heads: 3, key_value_heads: 2, channels: 8 }
  const layer = { ...uneven, key_value_head_of: [0, 0, 1] }
  const ragged = (...layers: Fields[]) => llama({ model_type: 'secateur_llama', head_dim: 8, secateur_layers: layers })
  const refuse = (fields: Fields, field: string, message: RegExp) =>
    assert.throws(() => parse(fields), badField(field, message))
  refuse(llama({ model_type: 'secateur_llama' }), 'secateur_layers', /is missing/)
  refuse(ragged(layer), 'secateur_layers', /has 1 layers; num_hidden_layers is 2/)
  const at = 'secateur_layers.1.key_value_head_of'
  refuse(ragged(layer, { ...layer, key_value_head_of: [0, 1] }), at, /has 2 entries for 3 heads/)
  refuse(ragged(layer, { ...layer, key_value_head_of: [0, 1, 2] }), at, /beyond the 2/)
  refuse(ragged(layer, uneven), at, /do not divide evenly/)
  refuse(ragged(layer, { ...layer, heads: 0 }), 'secateur_layers.1.heads', /1 or more/)
  assert.deepEqual(
    parse(ragged(layer, { ...layer, key_value_head_of: [0, 1, 1] })).layers[1]!.keyValueHeadOf,
    [0, 1, 1],
  )
})

function badField(field: string, message: RegExp) {
  return (error: unknown) => {
    assert(error instanceof SecateurError, String(error))
    assert.deepEqual([error.kind, error.file, error.field], ['bad-file', 'config.json', field])
    assert.match(error.message, message)
    return true
  }
}

for (const name of FIXTURES) {
  test(`${name}: a rewritten config says the same and keeps every field`, () => {
    const source = sourceOf(name)
    const config = parse(source)
    const written = JSON.parse(JSON.stringify(toConfigJson(config))) as Fields
    assert.deepEqual(withoutSource(parse(written)), withoutSource(config))
    const changed = Object.keys(source).filter(
      (field) => JSON.stringify(written[field]) !== JSON.stringify(source[field]),
    )
    // Field order within these may differ; the class of a ragged model is no stock one.
    const may = new Set(['architectures', 'secateur_layers', 'rope_scaling'])
    assert.deepEqual(
      changed.filter((field) => !may.has(field)),
      [],
    )
    const bare = parse(toConfigJson({ ...config, source: {} }))
    assert.deepEqual(withoutSource(bare), withoutSource(config), 'also without a source')
  })
}

test('other forms survive a rewrite', () => {
  const forms = [
    llama({ rope_theta: undefined, rope_parameters: { rope_type: 'linear', factor: 2, rope_theta: 5e5 } }),
    llama({ rope_scaling: { type: 'linear', factor: 4 } }),
    llama({ attention_bias: true, mlp_bias: true, eos_token_id: null }),
    qwen2({ use_sliding_window: true, max_window_layers: 0 }),
  ]
  for (const source of forms) {
    const config = parse(source)
    assert.deepEqual(withoutSource(parse(toConfigJson(config))), withoutSource(config))
  }
  assert.equal(toConfigJson(parse(forms[0]!)).rope_theta, undefined)
})

test('layers of one shape make a stock config, of several a ragged one, and back', () => {
  const config = parse(llama({ dtype: 'float16' }))
  const shape = { heads: 2, keyValueHeads: 1, channels: 12 }
  const stock = toConfigJson({ ...config, layers: [shape, shape] }, 'bfloat16')
  assert.deepEqual(
    [stock.model_type, stock.num_attention_heads, stock.num_key_value_heads, stock.intermediate_size, stock.head_dim],
    ['llama', 2, 1, 12, 8],
  )
  assert.equal(stock.dtype, 'bfloat16')
  const layers = [shape, { heads: 3, keyValueHeads: 2, channels: 9, keyValueHeadOf: [0, 1, 1] }]
  const ragged = toConfigJson({ ...config, layers })
  assert.deepEqual([ragged.model_type, ragged.architectures], ['secateur_llama', ['SecateurLlamaForCausalLM']])
  assert.deepEqual(parse(ragged).layers, layers)
  assert(!('per_layer_config' in ragged), 'which has no word for heads that are shared unevenly')
  const again = toConfigJson({ ...parse(ragged), layers: [shape] })
  assert.deepEqual([again.model_type, again.architectures], ['llama', ['LlamaForCausalLM']])
  assert(!('secateur_layers' in again))
})

test("layers that differ are said in transformers' own field too, where it has the words", () => {
  const config = parse(llama())
  const layers = [
    { heads: 2, keyValueHeads: 1, channels: 12 },
    { heads: 4, keyValueHeads: 1, channels: 9 },
  ]
  const written = toConfigJson({ ...config, layers })
  assert.deepEqual(written.per_layer_config, {
    '0': { num_attention_heads: 2 },
    '1': { intermediate_size: 9 },
  })
  const { secateur_layers: own, per_layer_config: theirs, ...rest } = written
  assert.deepEqual(parse({ ...rest, secateur_layers: own }).layers, layers, 'ours alone')
  assert.deepEqual(parse({ ...rest, per_layer_config: theirs }).layers, layers, 'theirs alone')
  assert.deepEqual(
    parse({ ...rest, model_type: 'llama', per_layer_config: theirs }).layers,
    layers,
    'as others write it',
  )
  const padded = { '00': { num_attention_heads: 2, head_dim: 8, skip: [] }, '01': { intermediate_size: 9 } }
  assert.deepEqual(parse({ ...written, per_layer_config: padded }).layers, layers, 'with what holds for all layers')
  const again = toConfigJson({ ...parse(written), layers: [layers[0]!] })
  assert(!('per_layer_config' in again))
})

test('refuses per_layer_config that contradicts secateur_layers, or says what no layer can have', () => {
  const config = parse(llama())
  const shape = { heads: 2, keyValueHeads: 1, channels: 12 }
  const written = toConfigJson({ ...config, layers: [shape, { ...shape, channels: 9 }] })
  const refuse = (perLayer: unknown, field: string, message: RegExp) =>
    assert.throws(() => parse({ ...written, per_layer_config: perLayer }), badField(field, message))
  const channels = 'per_layer_config.1.intermediate_size'
  refuse({ '1': { intermediate_size: 10 } }, channels, /says 10, and secateur_layers.1.channels says 9/)
  refuse({}, channels, /says 12, and secateur_layers.1.channels says 9/)
  refuse({ '2': {} }, 'per_layer_config.2', /is no layer: there are layers 0 to 1/)
  refuse({ '-1': {} }, 'per_layer_config.-1', /is no layer/)
  refuse({ '1': {}, '01': {} }, 'per_layer_config.01', /layer 1 a second time/)
  refuse({ '1': { skip: ['attention'] } }, 'per_layer_config.1.skip', /is not supported; layers may differ in/)
  refuse({ '1': { head_dim: 4 } }, 'per_layer_config.1.head_dim', /is not supported/)
  refuse({ '1': { intermediate_size: 0 } }, channels, /1 or more/)
  refuse({ '1': { intermediate_size: 1e12 } }, channels, /16777216 or less/)
  refuse({ '1': { num_key_value_heads: 4 } }, 'per_layer_config.1', /4 key\/value heads, which do not divide 2 heads/)
  refuse([], 'per_layer_config', /must be an object in braces, and is a list/)
  const uneven = [shape, { heads: 2, keyValueHeads: 2, channels: 12, keyValueHeadOf: [1, 0] }]
  const both = { ...toConfigJson({ ...config, layers: uneven }), per_layer_config: { '0': { num_key_value_heads: 1 } } }
  assert.throws(() => parse(both), badField('per_layer_config', /cannot say which key\/value head/))
})
