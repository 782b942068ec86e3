import { z } from 'zod'
import { badFile } from '../shared/errors.ts'
import { parseAs, readJson } from '../shared/files.ts'
import type { LayerShape, ModelConfig } from './model-config.ts'
import { readRope } from './config-rope.ts'

/** What transformers assumes where config.json of a family does not say. */
const families = {
  llama: { architecture: 'LlamaForCausalLM', maxPositions: 2048, window: null, headSize: null, bos: 1, eos: 2 },
  mistral: { architecture: 'MistralForCausalLM', maxPositions: 131_072, window: 4096, headSize: null, bos: 1, eos: 2 },
  qwen2: { architecture: 'Qwen2ForCausalLM', maxPositions: 32_768, window: 4096, headSize: null, bos: null, eos: null },
  qwen3: { architecture: 'Qwen3ForCausalLM', maxPositions: 32_768, window: 4096, headSize: 128, bos: null, eos: null },
} as const

type Family = ModelConfig['family']

/** model_type of a checkpoint whose layers differ is this prefix and the family. */
export const raggedPrefix = 'secateur_'

/** The class of transformers that loads a family. */
export const architectureOf = (family: Family): string => families[family].architecture

const count = (max: number) => z.int().min(1).max(max)
const width = count(2 ** 24)
const heads = count(2 ** 16)
const token = z.int().min(0)

const layerSchema = z.object({
  heads,
  key_value_heads: heads,
  channels: width,
  key_value_head_of: z.array(z.int().min(0)).optional(),
})

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
  hidden_act: z.string().nullish(),
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
})

type RawConfig = z.infer<typeof configSchema>

/** Reads and checks config.json. Errors name the file and the field. */
export const readConfig = (file: string): ModelConfig =>
  parseConfig(readJson(file, z.record(z.string(), z.unknown())), file)

/** Checks a parsed config.json; `file` is for messages. */
export function parseConfig(source: Record<string, unknown>, file: string): ModelConfig {
  const { family, ragged } = familyOf(source, file)
  const raw = parseAs(configSchema, source, file)
  if (source.quantization_config !== undefined && source.quantization_config !== null) {
    throw badFile(
      file,
      'quantization_config',
      'quantised checkpoints are not read; take the original 16-bit checkpoint',
    )
  }
  if (raw.hidden_act && raw.hidden_act !== 'silu' && raw.hidden_act !== 'swish') {
    throw badFile(file, 'hidden_act', `is "${raw.hidden_act}"; only "silu" is supported`)
  }
  const attentionBias = raw.attention_bias ?? false
  const fixedBias = family === 'qwen2' || family === 'mistral'
  const defaults = families[family]
  const eos = raw.eos_token_id === undefined ? defaults.eos : raw.eos_token_id
  return {
    family,
    vocabularySize: raw.vocab_size,
    hiddenSize: raw.hidden_size,
    headSize: headSizeOf(raw, family, file),
    layers: ragged ? readLayers(raw, file) : uniformLayers(raw, file),
    maxPositions: raw.max_position_embeddings ?? defaults.maxPositions,
    slidingWindow: slidingWindowOf(raw, family, file),
    normEpsilon: raw.rms_norm_eps ?? 1e-6,
    ...readRope(source, file),
    bias: {
      queryKeyValue: fixedBias ? family === 'qwen2' : attentionBias,
      output: fixedBias ? false : attentionBias,
      feedForward: family === 'llama' && (raw.mlp_bias ?? false),
    },
    queryKeyNorm: family === 'qwen3',
    tiedEmbeddings: raw.tie_word_embeddings ?? false,
    bosId: raw.bos_token_id === undefined ? defaults.bos : raw.bos_token_id,
    eosIds: typeof eos === 'number' ? [eos] : [...(eos ?? [])],
    source,
  }
}

function familyOf(source: Record<string, unknown>, file: string): { family: Family; ragged: boolean } {
  const { model_type: type } = parseAs(z.looseObject({ model_type: z.string() }), source, file)
  const ragged = type.startsWith(raggedPrefix)
  const family = ragged ? type.slice(raggedPrefix.length) : type
  if (Object.hasOwn(families, family)) return { family: family as Family, ragged }
  const supported = Object.keys(families).join(', ')
  throw badFile(file, 'model_type', `the architecture "${type}" is not supported; supported are ${supported}`)
}

function headSizeOf(raw: RawConfig, family: Family, file: string): number {
  const { hidden_size: hidden, num_attention_heads: queryHeads, head_dim: given } = raw
  const size = given ?? families[family].headSize ?? hidden / queryHeads
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

function uniformLayers(raw: RawConfig, file: string): LayerShape[] {
  if (raw.secateur_layers) {
    throw badFile(file, 'secateur_layers', `is only read where model_type begins with "${raggedPrefix}"`)
  }
  const { num_attention_heads: queryHeads } = raw
  const keyValueHeads = raw.num_key_value_heads ?? queryHeads
  if (queryHeads % keyValueHeads !== 0) {
    throw badFile(file, 'num_key_value_heads', `is ${keyValueHeads}, which does not divide ${queryHeads} heads`)
  }
  const layer = { heads: queryHeads, keyValueHeads, channels: raw.intermediate_size }
  return Array.from({ length: raw.num_hidden_layers }, () => ({ ...layer }))
}

function readLayers(raw: RawConfig, file: string): LayerShape[] {
  const layers = raw.secateur_layers
  if (!layers) throw badFile(file, 'secateur_layers', `is missing, though model_type begins with "${raggedPrefix}"`)
  if (layers.length !== raw.num_hidden_layers) {
    throw badFile(file, 'secateur_layers', `has ${layers.length} layers; num_hidden_layers is ${raw.num_hidden_layers}`)
  }
  return layers.map((layer, index) => {
    const keyValueHeadOf = layer.key_value_head_of
    const field = `secateur_layers.${index}.key_value_head_of`
    if (keyValueHeadOf && keyValueHeadOf.length !== layer.heads) {
      throw badFile(file, field, `has ${keyValueHeadOf.length} entries for ${layer.heads} heads`)
    }
    if (keyValueHeadOf?.some((head) => head >= layer.key_value_heads)) {
      throw badFile(file, field, `names a key/value head beyond the ${layer.key_value_heads} of this layer`)
    }
    if (!keyValueHeadOf && layer.heads % layer.key_value_heads !== 0) {
      const counts = `${layer.heads} heads and ${layer.key_value_heads} key/value heads`
      throw badFile(file, field, `is missing; ${counts} do not divide evenly`)
    }
    return {
      heads: layer.heads,
      keyValueHeads: layer.key_value_heads,
      channels: layer.channels,
      ...(keyValueHeadOf === undefined ? {} : { keyValueHeadOf }),
    }
  })
}

/** The window of all layers. Qwen's lets only the later layers have one; a mixture is refused. */
function slidingWindowOf(raw: RawConfig, family: Family, file: string): number | null {
  if (family === 'llama') return null
  const window = raw.sliding_window === undefined ? families[family].window : raw.sliding_window
  if (family === 'mistral' || window === null) return window
  if (!(raw.use_sliding_window ?? false)) return null
  const first = raw.max_window_layers ?? 28
  const types =
    raw.layer_types ?? Array.from({ length: raw.num_hidden_layers }, (_, layer) => layerType(layer >= first))
  const sliding = types.filter((type) => type === layerType(true)).length
  if (sliding === 0) return null
  if (sliding === raw.num_hidden_layers) return window
  const field = raw.layer_types ? 'layer_types' : 'max_window_layers'
  throw badFile(file, field, `gives ${sliding} of ${raw.num_hidden_layers} layers a sliding window; all or none must`)
}

export const layerType = (sliding: boolean) => (sliding ? 'sliding_attention' : 'full_attention')
