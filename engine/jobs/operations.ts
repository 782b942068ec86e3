import { projections, projectionShape } from '../checkpoint/projections.ts'
import type { ModelConfig } from '../checkpoint/model-config.ts'
import type { FinetuneJob, PruneJob } from '../contract.ts'
import { keeps } from './estimate.ts'

/** Multiplications and additions of one token's forward pass, its attention over `length` positions. */
export function forwardOperations(config: ModelConfig, length: number): number {
  return blockOperations(config, length) + headOperations(config)
}

/**
 * Operations of one optimiser step. The backward pass goes through the frozen weights once, for the gradient of the input
 * alone, and computes each block again where activations are not kept; the adapter's share and the scores of a criterion
 * are small beside it.
 */
export function stepOperations(job: FinetuneJob | PruneJob, config: ModelConfig): number {
  const tokens = job.rows * job.length * job.accumulation
  const passes = keeps(job, config) ? 2 : 3
  return tokens * (passes * blockOperations(config, job.length) + 2 * headOperations(config))
}

function blockOperations(config: ModelConfig, length: number): number {
  return config.layers.reduce((sum, { heads }, layer) => {
    const weights = projections.reduce((total, projection) => {
      const [outputs, inputs] = projectionShape(config, layer, projection)
      return total + outputs * inputs
    }, 0)
    return sum + 2 * weights + 4 * length * heads * config.headSize
  }, 0)
}

const headOperations = ({ vocabularySize, hiddenSize }: ModelConfig) => 2 * vocabularySize * hiddenSize
