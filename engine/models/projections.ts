import type { LayerShape, ModelConfig } from './model-config.ts'

/** The linear layers of a decoder block, in the order in which data passes them. */
export const projections = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] as const

export type Projection = (typeof projections)[number]

const moduleNames: Record<Projection, string> = {
  q: 'self_attn.q_proj',
  k: 'self_attn.k_proj',
  v: 'self_attn.v_proj',
  o: 'self_attn.o_proj',
  gate: 'mlp.gate_proj',
  up: 'mlp.up_proj',
  down: 'mlp.down_proj',
}

/** The last part of a projection's module name, as PEFT's target_modules has it: "q_proj". */
export const targetModule = (projection: Projection): string => moduleNames[projection].split('.')[1]!

/** A module's path within a causal language model: "model.layers.0.self_attn.q_proj". */
export const modulePath = (layer: number, projection: Projection): string =>
  `model.layers.${layer}.${moduleNames[projection]}`

/** The name of a projection's weight in a checkpoint. */
export const projectionTensor = (layer: number, projection: Projection): string =>
  `${modulePath(layer, projection)}.weight`

/** The name of a projection's bias in a checkpoint. */
export const projectionBias = (layer: number, projection: Projection): string => `${modulePath(layer, projection)}.bias`

/** Shape [out, in] of a projection's weight. */
export function projectionShape(config: ModelConfig, layer: number, projection: Projection): [number, number] {
  const { heads, keyValueHeads, channels } = layerOf(config, layer)
  const { hiddenSize, headSize } = config
  switch (projection) {
    case 'q':
      return [heads * headSize, hiddenSize]
    case 'k':
    case 'v':
      return [keyValueHeads * headSize, hiddenSize]
    case 'o':
      return [hiddenSize, heads * headSize]
    case 'gate':
    case 'up':
      return [channels, hiddenSize]
    case 'down':
      return [hiddenSize, channels]
  }
}

/** Whether a projection has a bias. */
export function hasBias(config: ModelConfig, projection: Projection): boolean {
  if (projection === 'o') return config.bias.output
  return projection === 'q' || projection === 'k' || projection === 'v'
    ? config.bias.queryKeyValue
    : config.bias.feedForward
}

function layerOf(config: ModelConfig, layer: number): LayerShape {
  const shape = config.layers[layer]
  if (!shape) throw new RangeError(`the model has ${config.layers.length} layers; layer ${layer} was asked for`)
  return shape
}
