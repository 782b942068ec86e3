import { architectureOf, layerType, raggedPrefix } from './config.ts'
import { ropeFields } from './config-rope.ts'
import type { LayerShape, ModelConfig, WeightType } from './model-config.ts'

/**
 * config.json of an architecture. Fields of `config.source` that say nothing of the architecture are kept. Where all
 * layers have the same counts it is a stock config; where they differ, `model_type` is "secateur_<family>" and
 * `secateur_layers` has the counts of each layer (docs/checkpoint-format.md).
 *
 * @param dtype the type in which the weights are written; as in `config.source` where not given
 */
export function toConfigJson(config: ModelConfig, dtype?: WeightType): Record<string, unknown> {
  const { family, layers, source } = config
  const stock = isStock(layers)
  const largest = (countOf: (layer: LayerShape) => number) => Math.max(...layers.map(countOf))
  const kept = Object.fromEntries(Object.entries(source).filter(([name]) => name !== 'secateur_layers'))
  return {
    ...kept,
    architectures: [stock ? architectureOf(family) : `Secateur${architectureOf(family)}`],
    model_type: stock ? family : raggedPrefix + family,
    vocab_size: config.vocabularySize,
    hidden_size: config.hiddenSize,
    num_hidden_layers: layers.length,
    num_attention_heads: largest(({ heads }) => heads),
    num_key_value_heads: largest(({ keyValueHeads }) => keyValueHeads),
    intermediate_size: largest(({ channels }) => channels),
    head_dim: config.headSize,
    ...(stock ? {} : { secateur_layers: layers.map(layerFields) }),
    hidden_act: 'silu',
    max_position_embeddings: config.maxPositions,
    rms_norm_eps: config.normEpsilon,
    tie_word_embeddings: config.tiedEmbeddings,
    bos_token_id: config.bosId,
    eos_token_id: config.eosIds.length === 1 ? config.eosIds[0] : config.eosIds.length === 0 ? null : config.eosIds,
    ...ropeFields(config, source),
    ...biasFields(config),
    ...windowFields(config),
    ...(dtype && { [typeof source.dtype === 'string' ? 'dtype' : 'torch_dtype']: dtype }),
  }
}

/** Whether a stock config of one count for all layers can say these shapes. */
export function isStock(layers: readonly LayerShape[]): boolean {
  const [first] = layers
  return layers.every(
    ({ heads, keyValueHeads, channels, keyValueHeadOf }) =>
      keyValueHeadOf === undefined &&
      heads % keyValueHeads === 0 &&
      heads === first?.heads &&
      keyValueHeads === first.keyValueHeads &&
      channels === first.channels,
  )
}

const layerFields = ({ heads, keyValueHeads, channels, keyValueHeadOf }: LayerShape) => ({
  heads,
  key_value_heads: keyValueHeads,
  channels,
  ...(keyValueHeadOf === undefined ? {} : { key_value_head_of: keyValueHeadOf }),
})

function biasFields({ family, bias }: ModelConfig): Record<string, unknown> {
  const fixed = family === 'qwen2' || family === 'mistral'
  const says = fixed
    ? bias.queryKeyValue === (family === 'qwen2') && !bias.output && !bias.feedForward
    : bias.queryKeyValue === bias.output && (family === 'llama' || !bias.feedForward)
  if (!says) throw new Error(`config.json of ${family} cannot say which layers have a bias: ${JSON.stringify(bias)}`)
  if (fixed) return {}
  return { attention_bias: bias.output, ...(family === 'llama' ? { mlp_bias: bias.feedForward } : {}) }
}

function windowFields({ family, slidingWindow, layers, source }: ModelConfig): Record<string, unknown> {
  if (family === 'llama') return {}
  const sliding = slidingWindow !== null
  const types = source.layer_types ? { layer_types: layers.map(() => layerType(sliding)) } : {}
  if (family === 'mistral') return { sliding_window: slidingWindow, ...types }
  return sliding
    ? { sliding_window: slidingWindow, use_sliding_window: true, max_window_layers: 0, ...types }
    : { use_sliding_window: false, ...types }
}
