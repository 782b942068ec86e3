import { z } from 'zod'
import type { KeyReader } from '../checkpoint/gguf/key-reader.ts'
import { badFile } from '../shared/errors.ts'
import { parseAs } from '../shared/files.ts'
import { readRope, ropeFields } from './config-rope.ts'
import { decoder } from './decoder.ts'
import { type DecoderConfig, type DecoderFields, layerType } from './decoder-config.ts'
import { type CommonFields, windowOf } from './gguf-traits.ts'

const positive = z.number().positive()
const gemmaSchema = z.looseObject({
  query_pre_attn_scalar: positive.nullish(),
  /** Every so manieth layer looks at everything, where `layer_types` does not say. */
  sliding_window_pattern: z.int().min(1).nullish(),
  _sliding_window_pattern: z.int().min(1).nullish(),
  /** Rotary base of the layers with a window: transformers 4. */
  rope_local_base_freq: positive.nullish(),
  /** Both rotary embeddings by the name of the layer type: transformers 5. */
  rope_parameters: z
    .looseObject({
      full_attention: z.looseObject({}).nullish(),
      sliding_attention: z.looseObject({ rope_theta: positive.nullish() }).nullish(),
    })
    .nullish(),
})

/** Fields that change what is computed in a way that no released Gemma 3 asks for. */
const refused = ['attn_logit_softcapping', 'final_logit_softcapping', 'use_bidirectional_attention']

/**
 * Gemma 3, text alone (arXiv 2503.19786): GeGLU, norms of 1 + w before and after each branch, normed queries and keys, scaled
 * embeddings, and layers with a window between layers that look at everything, each kind with its own rotary base.
 */
export const gemma3 = decoder({
  name: 'gemma3_text',
  architecture: 'Gemma3ForCausalLM',
  defaults: { maxPositions: 131_072, headSize: 256, tiedEmbeddings: true, ropeTheta: 1e6, bos: 2, eos: 1 },
  headCounts: 'divide-hidden',
  activation: { field: 'hidden_activation', names: ['gelu_pytorch_tanh'], is: 'gelu-tanh' },
  gguf: {
    architecture: 'gemma3',
    perLayer: null,
    neighbours: false,
    biases: [],
    windows: true,
    attentionScale: ({ hiddenSize, headSize, layers }) =>
      1 / Math.sqrt(scalarOf(layers.length, hiddenSize / layers[0]!.heads, headSize)),
    fields: ggufFields,
  },
  read: (fields, file) => {
    for (const field of refused) {
      const value = fields[field]
      if (value !== undefined && value !== null && value !== false)
        throw badFile(file, field, `is ${JSON.stringify(value)}, which is not supported in Gemma 3`)
    }
    const own = parseAs(gemmaSchema, fields, file)
    const rotary = own.rope_parameters
    const attention = fields.attention_bias ?? false
    return {
      slidingWindow: fields.sliding_window ?? 4096,
      attentionScale: 1 / Math.sqrt(own.query_pre_attn_scalar ?? 256),
      bias: { queryKeyValue: attention, output: attention, feedForward: false },
      queryKeyNorm: true,
      branchNorms: true,
      normOffset: 1,
      embeddingScale: Math.sqrt(fields.hidden_size),
      ...readRope(rotary?.full_attention ? { ...fields, rope_parameters: rotary.full_attention } : fields, file, 1e6),
      slidingRopeTheta: rotary?.sliding_attention?.rope_theta ?? own.rope_local_base_freq ?? 10_000,
      attention: slidingLayers(fields, own.sliding_window_pattern ?? own['_sliding_window_pattern'] ?? 6).map(
        (sliding) => ({ sliding, rotary: true }),
      ),
    }
  },
  write: (config) => ({
    attention_bias: config.bias.output,
    query_pre_attn_scalar: Number((1 / config.attentionScale ** 2).toPrecision(12)),
    sliding_window: config.slidingWindow,
    layer_types: config.layers.map(({ attention }) => layerType(attention!.sliding)),
    ...rotaryFields(config),
  }),
})

const slidingLayers = ({ layer_types: types, num_hidden_layers: count }: DecoderFields, pattern: number): boolean[] =>
  types?.map((type) => type === layerType(true)) ??
  Array.from({ length: count }, (_, layer) => (layer + 1) % pattern !== 0)

/** Both rotary embeddings, in the form that the source has. */
function rotaryFields(config: DecoderConfig): Record<string, unknown> {
  const { source, slidingRopeTheta } = config
  const before = parseAs(gemmaSchema, source, 'config.json').rope_parameters
  if (!before) return { rope_local_base_freq: slidingRopeTheta }
  const { rope_parameters: full } = ropeFields(config, { rope_parameters: before.full_attention ?? {} })
  const sliding = { ...before.sliding_attention, rope_theta: slidingRopeTheta, rope_type: 'default' }
  return { rope_parameters: { full_attention: full, sliding_attention: sliding } }
}

/** What llama.cpp takes for `query_pre_attn_scalar`, of which no key speaks: it tells the 27B model by its number of layers. */
const scalarOf = (layers: number, share: number, headSize: number) => (layers === 62 ? share : headSize)

function ggufFields(keys: KeyReader, architecture: string, common: CommonFields): Record<string, unknown> {
  const { num_hidden_layers: layers, hidden_size: hidden, num_attention_heads: heads, head_dim: size } = common
  const key = (name: string) => `${architecture}.${name}`
  const softcapping = (name: string) => keys.number(key(name)) || null
  const window = windowOf(keys, architecture)
  return {
    query_pre_attn_scalar: scalarOf(layers, hidden / heads, size),
    ...(window !== null && { sliding_window: window }),
    sliding_window_pattern: keys.integer(key('attention.sliding_window_pattern'), { least: 1 }) ?? 6,
    rope_local_base_freq: keys.number(key('rope.freq_base_swa')) ?? 10_000,
    attn_logit_softcapping: softcapping('attn_logit_softcapping'),
    final_logit_softcapping: softcapping('final_logit_softcapping'),
  }
}
