import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import type { LayerShape } from '../models/model-config.ts'

/** What the headers of a checkpoint say of it. */
export interface HeaderFacts {
  family: string
  parameters: number
  dtype: Checkpoint['dtype']
  bytes: number
  hiddenSize: number
  headSize: number
  vocabularySize: number
  maxPositions: number
  tiedEmbeddings: boolean
  layers: LayerShape[]
}

export interface Inspection extends HeaderFacts {
  type: 'result'
  checkpoint: string
}

export function headerFacts({ config, parameters, dtype, bytes }: Checkpoint): HeaderFacts {
  const { family, hiddenSize, headSize, vocabularySize, maxPositions, tiedEmbeddings, layers } = config
  return {
    family,
    parameters,
    dtype,
    bytes,
    hiddenSize,
    headSize,
    vocabularySize,
    maxPositions,
    tiedEmbeddings,
    layers,
  }
}

/** What a checkpoint is, from its headers alone: no weight is read. */
export function inspect(folder: string): Inspection {
  using checkpoint = openCheckpoint(folder)
  return { type: 'result', checkpoint: folder, ...headerFacts(checkpoint) }
}
