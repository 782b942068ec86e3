import { z } from 'zod'
import type { GateActivation } from '../ops/gated-activation.ts'
import type { RopeScaling } from '../ops/rotary.ts'
import { badFile } from '../shared/errors.ts'
import { parseAs } from '../shared/files.ts'
import { readRope, ropeFields } from './config-rope.ts'
import { isStock, largestShape, layerSchema, layersOf, raggedFields } from './decoder-layers.ts'
import type { LinearName } from './family.ts'
import type { GgufTraits } from './gguf-traits.ts'
import type { LayerAttention, ModelConfig } from './model-config.ts'
import { perLayerSchema } from './per-layer-config.ts'

/** What the decoders of all families have; a family's config.json decides on the values. */
export interface DecoderConfig extends ModelConfig {
  /** Tokens that attention looks back in layers that have a window; null where none has. */
  slidingWindow: number | null
  ropeTheta: number
  ropeScaling: RopeScaling | null
  /** Rotary base of the layers with a window, where it is another; they are not scaled then. */
  slidingRopeTheta: number | null
  /** What attention scores are multiplied with. */
  attentionScale: number
  activation: GateActivation
  bias: { queryKeyValue: boolean; output: boolean; feedForward: boolean }
  /** RMSNorm over each query and key head before the rotation. */
  queryKeyNorm: boolean
  /** Whether the outputs of attention and feed-forward are normed before they are added. */
  branchNorms: boolean
  /** Norms multiply with this plus their stored weight. */
  normOffset: 0 | 1
  /** What embeddings are multiplied with; 1 in most families. */
  embeddingScale: number
}

/** What a family of decoders says of itself; everything else is common to all. */
export interface DecoderTraits {
  /** "model_type" of config.json, and the class of transformers that loads it. */
  name: string
  architecture: string
  /** What transformers assumes where config.json does not say. */
  defaults: {
    maxPositions: number
    /** null: hidden_size / num_attention_heads */
    headSize: number | null
    normEpsilon?: number
    /** 10,000 where not given. */
    ropeTheta?: number
    tiedEmbeddings?: boolean
    bos: number | null
    eos: number | null
  }
  /** The field that names the activation, and the names that it may have; the first one is written. */
  activation?: { field: string; names: readonly [string, ...string[]]; is: GateActivation }
  /** How linear layers are stored, where not each as a module of its own. */
  modules?: Readonly<Record<string, readonly LinearName[]>>
  /** Whether config.json can say that every linear layer has a bias. */
  hasBiasFields?: boolean
  /** Numbers of heads that transformers takes; any where not given. */
  headCounts?: 'divide-hidden'
  gguf?: GgufTraits
  /** Fields of its own, as far as they differ from those of a plain Llama. @throws SecateurError naming file and field */
  read?: (fields: DecoderFields, file: string) => Partial<DecoderConfig> & { attention?: LayerAttention[] | null }
  write?: (config: DecoderConfig) => Record<string, unknown>
}

const count = (max: number) => z.int().min(1).max(max)
const width = count(2 ** 24)
const heads = count(2 ** 16)
const token = z.int().min(0)

const configSchema = z.looseObject({
  hidden_size: width,
  intermediate_size: width,
  num_hidden_layers: count(4096),
  num_attention_heads: heads,
  num_key_value_heads: heads.nullish(),
  head_dim: count(2 ** 16).nullish(),
  vocab_size: width,
  max_position_embeddings: count(2 ** 31).nullish(),
  rms_norm_eps: z.number().positive().max(1).nullish(),
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  tie_word_embeddings: z.boolean().nullish(),
  sliding_window: count(2 ** 31).nullish(),
  use_sliding_window: z.boolean().nullish(),
  max_window_layers: z.int().min(0).nullish(),
  layer_types: z.array(z.string()).nullish(),
  bos_token_id: token.nullish(),
  eos_token_id: z.union([token, z.array(token)]).nullish(),
  secateur_layers: z.array(layerSchema).nullish(),
  per_layer_config: perLayerSchema.nullish(),
})

/** The fields of config.json that decoders share, checked; others are there too. */
export type DecoderFields = z.infer<typeof configSchema>

const silu = { field: 'hidden_act', names: ['silu', 'swish'], is: 'silu' } as const

/** Reads and checks a decoder's config.json. Errors name the file and the field. */
export function readDecoderConfig(
  traits: DecoderTraits,
  source: Record<string, unknown>,
  file: string,
  ragged: boolean,
): DecoderConfig {
  const fields = parseAs(configSchema, source, file)
  if (source.quantization_config !== undefined && source.quantization_config !== null) {
    throw badFile(
      file,
      'quantization_config',
      'quantised checkpoints are not read; take the original 16-bit checkpoint',
    )
  }
  const { defaults, activation = silu } = traits
  const named = source[activation.field]
  if (
    named !== undefined &&
    named !== null &&
    named !== '' &&
    !(activation.names as readonly unknown[]).includes(named)
  )
    throw badFile(file, activation.field, `is "${named}"; only "${activation.names[0]}" is supported`)
  const headSize = headSizeOf(fields, defaults.headSize, file)
  const layers = layersOf(fields, ragged, file)
  const eos = fields.eos_token_id === undefined ? defaults.eos : fields.eos_token_id
  const common: DecoderConfig = {
    family: traits.name,
    vocabularySize: fields.vocab_size,
    hiddenSize: fields.hidden_size,
    headSize,
    layers,
    maxPositions: fields.max_position_embeddings ?? defaults.maxPositions,
    slidingWindow: null,
    normEpsilon: fields.rms_norm_eps ?? defaults.normEpsilon ?? 1e-6,
    ropeTheta: 10_000,
    ropeScaling: null,
    slidingRopeTheta: null,
    attentionScale: 1 / Math.sqrt(headSize),
    activation: activation.is,
    bias: { queryKeyValue: false, output: false, feedForward: false },
    queryKeyNorm: false,
    branchNorms: false,
    normOffset: 0,
    embeddingScale: 1,
    tiedEmbeddings: fields.tie_word_embeddings ?? defaults.tiedEmbeddings ?? false,
    bosId: fields.bos_token_id === undefined ? defaults.bos : fields.bos_token_id,
    eosIds: typeof eos === 'number' ? [eos] : [...(eos ?? [])],
    source,
  }
  const { attention, ...own } = traits.read?.(fields, file) ?? {}
  const rope = own.ropeTheta === undefined ? readRope(source, file, defaults.ropeTheta) : {}
  return {
    ...common,
    ...rope,
    ...own,
    layers: attention ? layers.map((layer, index) => ({ ...layer, attention: attention[index]! })) : layers,
  }
}

function headSizeOf(fields: DecoderFields, assumed: number | null, file: string): number {
  const { hidden_size: hidden, num_attention_heads: queryHeads, head_dim: given } = fields
  const size = given ?? assumed ?? hidden / queryHeads
  if (!Number.isInteger(size)) {
    throw badFile(
      file,
      'num_attention_heads',
      `${queryHeads} heads do not divide hidden_size ${hidden}, and there is no head_dim`,
    )
  }
  if (size % 2 !== 0) throw badFile(file, 'head_dim', `is ${size}; rotary embedding needs an even number`)
  return size
}

/** The fields of a decoder's config.json; see `Family.writeConfig`. */
export function writeDecoderConfig(traits: DecoderTraits, config: DecoderConfig): Record<string, unknown> {
  const { layers, source } = config
  const { activation = silu } = traits
  const largest = largestShape(layers)
  return {
    vocab_size: config.vocabularySize,
    hidden_size: config.hiddenSize,
    num_hidden_layers: layers.length,
    num_attention_heads: largest.heads,
    num_key_value_heads: largest.keyValueHeads,
    intermediate_size: largest.channels,
    head_dim: config.headSize,
    ...(isStock(layers) ? {} : raggedFields(layers)),
    [activation.field]: activation.names[0],
    max_position_embeddings: config.maxPositions,
    rms_norm_eps: config.normEpsilon,
    tie_word_embeddings: config.tiedEmbeddings,
    bos_token_id: config.bosId,
    eos_token_id: config.eosIds.length === 1 ? config.eosIds[0] : config.eosIds.length === 0 ? null : config.eosIds,
    ...ropeFields(config, source),
    ...traits.write?.(config),
  }
}

/** Names of attention in `layer_types`. */
export const layerType = (sliding: boolean): string => (sliding ? 'sliding_attention' : 'full_attention')

/**
 * The window of all layers, where some fields of Qwen say that only later layers have one.
 *
 * @param assumed the window where config.json does not say
 * @throws SecateurError where some layers have a window and others do not
 */
export function commonWindow(fields: DecoderFields, assumed: number, file: string): number | null {
  const window = fields.sliding_window === undefined ? assumed : fields.sliding_window
  if (window === null || !(fields.use_sliding_window ?? false)) return null
  const first = fields.max_window_layers ?? 28
  const types =
    fields.layer_types ?? Array.from({ length: fields.num_hidden_layers }, (_, layer) => layerType(layer >= first))
  const sliding = types.filter((type) => type === layerType(true)).length
  if (sliding === 0) return null
  if (sliding === fields.num_hidden_layers) return window
  const field = fields.layer_types ? 'layer_types' : 'max_window_layers'
  throw badFile(
    file,
    field,
    `gives ${sliding} of ${fields.num_hidden_layers} layers a sliding window; all or none must`,
  )
}

/** The same as fields of config.json. */
export function commonWindowFields({ slidingWindow, layers, source }: DecoderConfig): Record<string, unknown> {
  const sliding = slidingWindow !== null
  const types = source.layer_types ? { layer_types: layers.map(() => layerType(sliding)) } : {}
  return sliding
    ? { sliding_window: slidingWindow, use_sliding_window: true, max_window_layers: 0, ...types }
    : { use_sliding_window: false, ...types }
}
