import type { GgufKeys, GgufValue } from '../checkpoint/gguf/writer.ts'
import { rotaryFrequencies } from '../ops/rotary.ts'
import { SecateurError } from '../shared/errors.ts'
import type { DecoderConfig } from './decoder-config.ts'
import { isStock } from './decoder-layers.ts'
import type { GgufTraits } from './gguf-traits.ts'
import { ggufTraitsOf } from './gguf.ts'
import type { LayerShape, ModelConfig } from './model-config.ts'
import { linearsOf } from './tensors.ts'

export interface ConfigKeys {
  keys: GgufKeys
  /** What a person must know of how the file will be run. */
  warnings: string[]
}

const uint = (value: number): GgufValue => ({ type: 'uint32', value })
const float = (value: number): GgufValue => ({ type: 'float32', value })

/**
 * What GGUF says of an architecture: `general.architecture` and the keys that begin with it. Layers that differ need an
 * architecture that takes counts layer by layer.
 *
 * @param file for messages
 * @throws SecateurError that names the field of config.json that GGUF cannot say
 */
export function configKeys(model: ModelConfig, file: string): ConfigKeys {
  const config = model as DecoderConfig
  const traits = ggufTraitsOf(config, file)
  const stock = isStock(config.layers)
  const architecture = stock ? traits.architecture : traits.perLayer
  if (architecture === null) throw cannot(file, 'secateur_layers', `${traits.architecture} takes no layers that differ`)
  checkBiases(config, traits, file)
  checkHeads(config, traits, file)
  const window = windowKeys(config, traits, file)
  const rope = ropeKeys(config, traits, file)
  const { layers, headSize } = config
  const counts = (of: (layer: LayerShape) => number): GgufValue =>
    stock ? uint(of(layers[0]!)) : { type: 'array', of: 'uint32', value: layers.map(of) }
  const own: Record<string, GgufValue> = {
    vocab_size: uint(config.vocabularySize),
    context_length: uint(Math.min(config.maxPositions, window.positions)),
    embedding_length: uint(config.hiddenSize),
    block_count: uint(layers.length),
    feed_forward_length: counts(({ channels }) => channels),
    'attention.head_count': counts(({ heads }) => heads),
    'attention.head_count_kv': counts(({ keyValueHeads }) => keyValueHeads),
    'attention.layer_norm_rms_epsilon': float(config.normEpsilon),
    'attention.key_length': uint(headSize),
    'attention.value_length': uint(headSize),
    'rope.dimension_count': uint(headSize),
    'rope.freq_base': float(config.ropeTheta),
    ...rope,
    ...window.keys,
  }
  const keys = Object.entries(own).map(([name, value]) => [`${architecture}.${name}`, value] as const)
  return {
    keys: new Map<string, GgufValue>([['general.architecture', { type: 'string', value: architecture }], ...keys]),
    warnings: window.warnings,
  }
}

const cannot = (file: string, field: string, why: string) =>
  new SecateurError('unsupported', `cannot be said in GGUF: ${why}`, { file, field })

function checkBiases(config: DecoderConfig, { architecture, biases }: GgufTraits, file: string): void {
  const other = linearsOf(config, 0).filter(({ name, bias }) => bias && !biases.includes(name))
  if (other.length === 0) return
  const field = other.some(({ name }) => name === 'gate') ? 'mlp_bias' : 'attention_bias'
  throw cannot(file, field, `llama.cpp reads no bias of ${other.map(({ name }) => name).join(', ')} in ${architecture}`)
}

function checkHeads({ layers, headSize, hiddenSize }: DecoderConfig, traits: GgufTraits, file: string): void {
  if (layers.some(({ keyValueHeadOf }) => keyValueHeadOf))
    throw cannot(file, 'secateur_layers', 'every key/value head must be read by as many query heads as the others')
  const uneven = traits.headsFillHidden && layers.find(({ heads }) => heads * headSize !== hiddenSize)
  if (uneven)
    throw cannot(
      file,
      'num_attention_heads',
      `in ${traits.architecture} all heads together have the width of the model, ${hiddenSize}; these have ${uneven.heads * headSize}`,
    )
}

/** Sliding windows; without a place for them a file is for no longer texts than one window. */
function windowKeys(
  { slidingWindow, layers, maxPositions, slidingRopeTheta, ropeTheta }: DecoderConfig,
  { windows, unrotatedEvery }: GgufTraits,
  file: string,
): { keys: Record<string, GgufValue>; positions: number; warnings: string[] } {
  const unrotated = layers.map(({ attention }) => attention?.rotary === false)
  const expected = layers.map((_, layer) => unrotatedEvery !== undefined && (layer + 1) % unrotatedEvery === 0)
  if (unrotated.some((is, layer) => is !== expected[layer]))
    throw cannot(
      file,
      'no_rope_layers',
      `llama.cpp leaves every ${unrotatedEvery ?? 0}. layer without positions, and no other`,
    )
  if (slidingWindow === null) return { keys: {}, positions: maxPositions, warnings: [] }
  if (!windows) {
    const warnings =
      slidingWindow < maxPositions
        ? [
            `llama.cpp has no sliding window for this family: the file is for texts of at most ${slidingWindow} tokens ` +
              `(sliding_window), where the model reads ${maxPositions}.`,
          ]
        : []
    return { keys: {}, positions: slidingWindow, warnings }
  }
  const sliding = layers.map(({ attention }) => attention?.sliding ?? true)
  const first = sliding.indexOf(false)
  const period = first < 0 ? layers.length + 1 : first + 1
  if (sliding.some((is, layer) => is !== ((layer + 1) % period !== 0)))
    throw cannot(file, 'layer_types', 'layers that look at everything must come at even distances')
  const keys = {
    'attention.sliding_window': uint(slidingWindow),
    'attention.sliding_window_pattern': uint(period),
    'rope.freq_base_swa': float(slidingRopeTheta ?? ropeTheta),
  }
  return { keys, positions: maxPositions, warnings: [] }
}

function ropeKeys(
  { ropeScaling }: DecoderConfig,
  { architecture, ropeFactors }: GgufTraits,
  file: string,
): Record<string, GgufValue> {
  if (ropeScaling === null) return {}
  if (ropeScaling.type === 'linear')
    return {
      'rope.scaling.type': { type: 'string', value: 'linear' },
      'rope.scaling.factor': float(ropeScaling.factor),
    }
  if (ropeFactors) return {}
  throw cannot(file, 'rope_scaling.rope_type', `llama.cpp does not scale as "${ropeScaling.type}" in ${architecture}`)
}

/**
 * What every rotary frequency is divided by, [headSize / 2], where they are scaled as in Llama 3; null otherwise. GGUF has
 * them as a tensor, `ropeFactorsName`.
 */
export function rotaryFactors(model: ModelConfig): Float32Array | null {
  const { headSize, ropeTheta, ropeScaling } = model as DecoderConfig
  if (ropeScaling?.type !== 'llama3') return null
  const scaled = rotaryFrequencies(headSize, ropeTheta, ropeScaling)
  return Float32Array.from(rotaryFrequencies(headSize, ropeTheta, null), (plain, i) => plain / scaled[i]!)
}
