import type { ModelConfig } from '../models/model-config.ts'
import { layerWeights } from '../models/tensors.ts'
import { criteria, type PruneJob } from '../contract/index.ts'
import { lastSelection, scheduleOf, selections } from '../pruning/schedule.ts'
import { multiplyAdds } from '../models/multiply-adds.ts'

/** Tokens of the text that is scored on. */
const calibrationTokens = (job: PruneJob): number =>
  job.calibrationSamples * (job.calibrationSequenceLength ?? job.sequenceLength)

/** Bytes that a job's criterion holds beyond the training: see `criteria` in the contract. */
export function scoringBytes(job: PruneJob, config: ModelConfig): number {
  const { needs } = criteria[job.criterion]
  const block = Math.max(...layerWeights(config))
  const inputs = calibrationTokens(job) * config.hiddenSize * (config.layers.length + 1)
  const byBatch = { 'element-wise': 3, 'vector-wise': 3, mixed: 5 }[job.gradientForm]
  if (needs === 'weight gradients') return 4 * (byBatch * block + inputs)
  if (job.criterion === 'movement' && job.movementGradients === 'weights') return 4 * 3 * block
  return needs === 'activations' ? 16 * config.layers.length * (config.hiddenSize * 3 + block / config.hiddenSize) : 0
}

/** What going over a weight a few times costs, counted in operations of a product: memory is slower than arithmetic. */
const passesOverWeights = 40

/**
 * Operations of all scorings of a run of so many steps by its criterion, those of passes over the weights included.
 *
 * @param steps optimiser steps of the run
 * @param ratio fraction of groups that leaves
 */
export function scoringOperations(job: PruneJob, config: ModelConfig, steps: number, ratio: number): number {
  const { needs, removes } = criteria[job.criterion]
  const weights = layerWeights(config).reduce((sum, layer) => sum + layer, 0)
  const schedule = scheduleOf(job, steps, ratio)
  const atOnce = job.schedule === 'one-shot' || removes === 'weights'
  const choices = atOnce ? 1 : selections(schedule)
  const length = job.calibrationSequenceLength ?? job.sequenceLength
  const forward = 2 * multiplyAdds(config, length)
  // Forward, each block again, and backward with respect to inputs and weights.
  const withWeightGradients = 4 * forward
  const calibration = calibrationTokens(job)
  const merged = 2 * job.rank + passesOverWeights
  const scoredSteps = atOnce ? 1 : lastSelection(schedule)
  const stepTokens = atOnce ? calibration : job.batchSize * job.sequenceLength * job.gradientAccumulation
  switch (job.criterion) {
    case 'random':
      return 0
    case 'loraprune':
    case 'movement': {
      if (job.criterion === 'movement' && job.movementGradients === 'weights')
        return scoredSteps * (stepTokens * withWeightGradients + weights * merged)
      // Where all leaves at once no step has given gradients: the calibration text does.
      const gradients = atOnce ? calibration * 3 * forward : 0
      return scoredSteps * weights * (4 * job.rank + merged) + gradients
    }
    case 'gradient':
      return choices * (calibration * withWeightGradients + weights * merged)
    default:
      return choices * ((needs === 'activations' ? calibration * forward : 0) + weights * merged)
  }
}
