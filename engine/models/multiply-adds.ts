import type { ModelConfig } from './model-config.ts'
import { projections, projectionShape } from './projections.ts'

/**
 * Multiply-adds for one token after `context` others: all projections and the output head, and the attention scores and
 * their sum over the context.
 */
export function multiplyAdds(config: ModelConfig, context = 0): number {
  let sum = config.vocabularySize * config.hiddenSize
  for (const [layer, { heads }] of config.layers.entries()) {
    for (const projection of projections) {
      const [outputs, inputs] = projectionShape(config, layer, projection)
      sum += outputs * inputs
    }
    sum += 2 * context * heads * config.headSize
  }
  return sum
}
