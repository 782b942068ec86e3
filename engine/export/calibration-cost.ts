import type { Checkpoint } from '../models/checkpoint.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { multiplyAdds } from '../models/multiply-adds.ts'
import { layerWeights, linearsOf } from '../models/tensors.ts'
import { availableMemory } from '../shared/available-memory.ts'
import { sum } from '../shared/sum.ts'

/** Sequences that a calibration runs, their length, and how many at once. */
export const sequences = { count: 64, length: 256, atOnce: 4 }

const tokensOf = ({ maxPositions }: ModelConfig) => sequences.count * Math.min(sequences.length, maxPositions)

/** Whether the sums of products, that errors are made up for with, fit into a third of the memory that is free. */
export const compensationFits = (checkpoint: Checkpoint) => bytesOf(checkpoint, true) < availableMemory() / 3

/** Bytes that a calibration holds. */
export const calibrationMemory = (checkpoint: Checkpoint): number => bytesOf(checkpoint, compensationFits(checkpoint))

/**
 * Bytes that a calibration holds: what goes into the next layer, one layer's weights, and its sums.
 *
 * @param compensates whether with sums of products
 */
function bytesOf({ config, bytes, parameters }: Checkpoint, compensates: boolean): number {
  const streams = 4 * tokensOf(config) * config.hiddenSize
  const weights = Math.max(config.vocabularySize * config.hiddenSize, ...layerWeights(config)) * (bytes / parameters)
  if (!compensates) return streams + weights
  const sizes = config.layers.map((_, layer) =>
    linearsOf(config, layer).flatMap(({ name, reads, inputs }) =>
      name === reads || name === 'v' ? [inputs ** 2] : [],
    ),
  )
  // A sum of each input in 32 bits; for one of them at a time its root in 64 and what is made of it.
  const sums = sizes.map((each) => 4 * sum(each) + 16 * Math.max(...each))
  return streams + weights + Math.max(...sums)
}

/** Operations a second for each thread: of passes over texts, of rounding, and of what is found out beforehand. Rough. */
const speed = { passes: 25e9, rounding: 0.8e9, factors: 0.6e9 }

/** How long it takes to run a model over texts of so many tokens, about. */
export const passSeconds = ({ config }: Checkpoint, tokens: number, threads: number): number =>
  (tokens * 2 * multiplyAdds(config, sequences.length)) / (speed.passes * threads)

/** How long a calibration takes. */
export function calibrationSeconds(checkpoint: Checkpoint, threads: number): number {
  const { config } = checkpoint
  const head = config.vocabularySize * config.hiddenSize
  const linears = config.layers.flatMap((_, layer) => linearsOf(config, layer))
  const passes = 2 * 2 * (multiplyAdds(config, sequences.length) - head)
  if (!compensationFits(checkpoint)) return (tokensOf(config) * passes) / (speed.passes * threads)
  const inputs = linears.filter(({ name, reads }) => name === reads || name === 'v')
  const products = 2 * sum(inputs.map((each) => each.inputs ** 2))
  // Every number changes those after it once, and the slopes of all twice.
  const rounding = 2.5 * sum(linears.map((each) => each.outputs * each.inputs ** 2))
  const factors = sum(inputs.map((each) => each.inputs ** 3)) / 6
  return (
    (tokensOf(config) * (passes + products)) / (speed.passes * threads) +
    rounding / (speed.rounding * threads) +
    factors / speed.factors
  )
}
