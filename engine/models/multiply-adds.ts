import type { ModelConfig } from './model-config.ts'
import { layerWeights } from './tensors.ts'

/**
 * Multiply-adds for one token after `context` others: all linear layers and the output head, and the attention scores and
 * their sum over the context.
 */
export function multiplyAdds(config: ModelConfig, context = 0): number {
  const weights = layerWeights(config).reduce((sum, layer) => sum + layer, config.vocabularySize * config.hiddenSize)
  return config.layers.reduce((sum, { heads }) => sum + 2 * context * heads * config.headSize, weights)
}
