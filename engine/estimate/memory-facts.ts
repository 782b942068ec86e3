import type { ModelConfig } from '../models/model-config.ts'
import { layerWeights, linearOf, linearsOf } from '../models/tensors.ts'
import { sum } from '../shared/sum.ts'

// Factors of memory without another source are measured: `npm run bench:memory` says how near they come.

/** A model as it is held, and what of it is widened to float32 while it is used. */
export interface HeldModel {
  config: ModelConfig
  /** Weights of linear layers in 8 bits. */
  int8: boolean
  /** Weights of linear layers; the embedding and the head of the model. */
  widensLinears: boolean
  widensTables: boolean
  /** Whether the bits of what is widened are copied first: no input of a graph can be bfloat16. */
  copiesBits: boolean
}

/**
 * Part of attention's scores that is computed: of texts queries are taken in pieces, each without the keys after it; of
 * images all keys are looked at.
 */
export const seenScores = ({ patchValues }: ModelConfig): number => (patchValues === undefined ? 0.6 : 1)
/** Arrays of all logits of a piece. */
export const logitArrays = 3
/**
 * Room for the head's weight in float32, in heads, where logits are computed at once or piece by piece: the hole that one
 * leaves is not always found again. Large ones are mapped (`resources/engine-environment.json`) and leave none.
 */
const headCopies = { once: 1.7, pieces: 3, mapped: 1.1 }
const mappedFloats = 3 * 2 ** 20
/** What pieces of work leave of the room of those before them. */
const leftOver = 0.6

/** Elements of the head's weight where it is widened for a graph of its own. */
export function widenedHead({ config, widensTables }: HeldModel, how: 'once' | 'pieces'): number {
  if (!widensTables) return 0
  const head = config.vocabularySize * config.hiddenSize
  return headCopies[head >= mappedFloats ? 'mapped' : how] * head
}

/**
 * Floats beside the weights of a block that are widened: small ones lie among others, not mapped on their own, and those of the
 * next block do not always find their room again; and the bits of one weight, where they are copied.
 */
export function besideWidened({ config, copiesBits }: HeldModel): number {
  const small = (layer: number) =>
    sum(linearsOf(config, layer).map(({ outputs, inputs }) => (outputs * inputs < mappedFloats ? outputs * inputs : 0)))
  const layers = [...config.layers.keys()]
  const times = Math.min(4, 1 + layers.length / 10)
  return times * Math.max(...layers.map(small)) + (copiesBits ? widestOf(config) / 2 : 0)
}

/** What is held by pieces of work that follow each other: what one frees does not always fit the next. */
export function oneAfterTheOther(...sizes: number[]): number {
  const most = Math.max(...sizes)
  return most + leftOver * (sum(sizes) - most)
}

/** Elements of the largest weight of a linear layer, and of all weights of the largest block. */
export const widestOf = (config: ModelConfig): number =>
  Math.max(
    ...config.layers.flatMap((_, layer) => linearsOf(config, layer).map(({ outputs, inputs }) => outputs * inputs)),
  )
export const largestBlock = (config: ModelConfig): number => Math.max(...layerWeights(config))

export interface AdapterSize {
  rank: number
  targetModules: readonly string[]
  /** Whether a classifier of images is trained too; one that is new is known only once the images are. */
  trainClassifier?: boolean
}

/** Elements of an adapter: of its pairs, and of a classifier that is trained. */
export const adapterParts = (
  config: ModelConfig,
  { rank, targetModules, trainClassifier = false }: AdapterSize,
): { adapter: number; classifier: number } => ({
  classifier: trainClassifier ? config.vocabularySize * (config.hiddenSize + 1) : 0,
  adapter:
    rank *
    sum(
      config.layers.flatMap((_, layer) =>
        targetModules.map((name) => {
          const { outputs, inputs } = linearOf(config, layer, name)
          return outputs + inputs
        }),
      ),
    ),
})

/** Elements of all of it. */
export function adapterFloats(config: ModelConfig, size: AdapterSize): number {
  const { adapter, classifier } = adapterParts(config, size)
  return adapter + classifier
}
