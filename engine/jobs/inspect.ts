import { openCheckpoint } from '../checkpoint/checkpoint.ts'
import type { LayerShape } from '../checkpoint/model-config.ts'

export interface Inspection {
  type: 'result'
  checkpoint: string
  family: string
  parameters: number
  dtype: string
  bytes: number
  hiddenSize: number
  headSize: number
  vocabularySize: number
  maxPositions: number
  tiedEmbeddings: boolean
  layers: LayerShape[]
}

/** What a checkpoint is, from its headers alone: no weight is read. */
export function inspect(folder: string): Inspection {
  using checkpoint = openCheckpoint(folder)
  const { config, parameters, dtype, bytes } = checkpoint
  const { family, hiddenSize, headSize, vocabularySize, maxPositions, tiedEmbeddings, layers } = config
  return {
    type: 'result',
    checkpoint: folder,
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
