import type { ModelConfig } from './model-config.ts'
import { hasBias, projectionBias, projections, projectionShape, projectionTensor } from './projections.ts'
import { elementsOf } from '../checkpoint/safetensors-header.ts'

/** Every tensor that a checkpoint of this architecture holds, with its shape, in the order in which a model reads them. */
export function expectedTensors(config: ModelConfig): Map<string, number[]> {
  const { hiddenSize, headSize, vocabularySize } = config
  const tensors = new Map<string, number[]>([['model.embed_tokens.weight', [vocabularySize, hiddenSize]]])
  for (const layer of config.layers.keys()) {
    const block = `model.layers.${layer}`
    tensors.set(`${block}.input_layernorm.weight`, [hiddenSize])
    for (const projection of projections) {
      const [outputs, inputs] = projectionShape(config, layer, projection)
      if (projection === 'gate') tensors.set(`${block}.post_attention_layernorm.weight`, [hiddenSize])
      tensors.set(projectionTensor(layer, projection), [outputs, inputs])
      if (hasBias(config, projection)) tensors.set(projectionBias(layer, projection), [outputs])
      if (config.queryKeyNorm && (projection === 'q' || projection === 'k')) {
        tensors.set(`${block}.self_attn.${projection}_norm.weight`, [headSize])
      }
    }
  }
  tensors.set('model.norm.weight', [hiddenSize])
  if (!config.tiedEmbeddings) tensors.set('lm_head.weight', [vocabularySize, hiddenSize])
  return tensors
}

/** Number of parameters of an architecture; tied embeddings count once. */
export function countParameters(config: ModelConfig): number {
  let parameters = 0
  for (const shape of expectedTensors(config).values()) parameters += elementsOf(shape)
  return parameters
}
