import type { ModelConfig } from '../models/model-config.ts'
import type { FinetuneJob, PruneJob } from '../contract/index.ts'
import { multiplyAdds } from '../models/multiply-adds.ts'
import { keeps } from './estimate.ts'
import { taughtShare, teacherConfig } from './teacher.ts'

/** Multiplications and additions of one token's forward pass, its attention over `length` positions. */
export const forwardOperations = (config: ModelConfig, length: number): number => 2 * multiplyAdds(config, length)

/**
 * Operations of one optimiser step. The backward pass goes through the frozen weights once, for the gradient of the input
 * alone, and computes each block again where activations are not kept; a teacher passes forward once. The adapter's share and
 * the scores of a criterion are small beside it.
 */
export function stepOperations(job: FinetuneJob | PruneJob, config: ModelConfig): number {
  const tokens = job.batchSize * job.sequenceLength * job.gradientAccumulation
  const head = 2 * config.vocabularySize * config.hiddenSize
  const blocks = forwardOperations(config, job.sequenceLength) - head
  const teacher = teacherConfig(job, config)
  const taught = teacher ? taughtShare(job) * forwardOperations(teacher, job.sequenceLength) : 0
  return tokens * ((keeps(job, config) ? 2 : 3) * blocks + 2 * head + taught)
}
