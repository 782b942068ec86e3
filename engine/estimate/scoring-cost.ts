import { type CostFacts, criteria, type PruneJob } from '../contract/index.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { multiplyAdds } from '../models/multiply-adds.ts'
import { layerWeights } from '../models/tensors.ts'
import { lastSelection, scheduleOf, selections } from '../pruning/schedule.ts'

/** Bytes that a job's criterion holds beyond the training. */
export const scoringBytes = (job: PruneJob, config: ModelConfig): number =>
  criteria[job.criterion].bytes(job, costFacts(job, config, 1, job.ratio))

/**
 * Operations of all scorings of a run of so many steps by its criterion, those of passes over the weights included.
 *
 * @param steps optimiser steps of the run
 * @param ratio fraction of groups that leaves
 */
export const scoringOperations = (job: PruneJob, config: ModelConfig, steps: number, ratio: number): number =>
  criteria[job.criterion].operations(job, costFacts(job, config, steps, ratio))

function costFacts(job: PruneJob, config: ModelConfig, steps: number, ratio: number): CostFacts {
  const ofLayers = layerWeights(config)
  const schedule = scheduleOf(job, steps, ratio)
  const atOnce = job.schedule === 'one-shot' || criteria[job.criterion].removes === 'weights'
  const length = job.calibrationSequenceLength ?? job.sequenceLength
  const calibrationTokens = job.calibrationSamples * length
  return {
    weights: ofLayers.reduce((sum, layer) => sum + layer, 0),
    largestBlock: Math.max(...ofLayers),
    layers: config.layers.length,
    hiddenSize: config.hiddenSize,
    rank: job.rank,
    forward: 2 * multiplyAdds(config, length),
    calibrationTokens,
    atOnce,
    choices: atOnce ? 1 : selections(schedule),
    scoredSteps: atOnce ? 1 : lastSelection(schedule),
    stepTokens: atOnce ? calibrationTokens : job.batchSize * job.sequenceLength * job.gradientAccumulation,
  }
}
