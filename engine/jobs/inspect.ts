import type { Compatibility, ImageFacts } from '../contract/index.ts'
import { checkpointWarnings } from '../estimate/job-warnings.ts'
import { compatibilityOf } from '../export/compatibility.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import type { LayerShape } from '../models/model-config.ts'
import { imageFacts } from './image-facts.ts'

/** What the headers of a checkpoint say of it. */
export interface HeaderFacts {
  family: string
  parameters: number
  dtype: Checkpoint['dtype']
  /** What the weights were rounded to; null where they are stored as numbers of their own. */
  quantisation: Checkpoint['quantisation']
  bytes: number
  hiddenSize: number
  headSize: number
  vocabularySize: number
  maxPositions: number
  tiedEmbeddings: boolean
  layers: LayerShape[]
  /** Which programs load it. */
  compatibility: Compatibility[]
}

export interface Inspection extends HeaderFacts {
  type: 'result'
  checkpoint: string
  images: ImageFacts | null
  /** What is odd about it: config, weights and tokenizer that contradict each other. */
  warnings: string[]
}

export function headerFacts({
  config,
  parameters,
  dtype,
  bytes,
  quantisation,
}: Pick<Checkpoint, 'config' | 'parameters' | 'dtype' | 'bytes' | 'quantisation'>): HeaderFacts {
  const { family, hiddenSize, headSize, vocabularySize, maxPositions, tiedEmbeddings, layers } = config
  return {
    family,
    parameters,
    dtype,
    quantisation,
    bytes,
    hiddenSize,
    headSize,
    vocabularySize,
    maxPositions,
    tiedEmbeddings,
    layers,
    compatibility: compatibilityOf(config),
  }
}

/** What a checkpoint is, from its headers and its tokenizer. */
export async function inspect(folder: string): Promise<Inspection> {
  using checkpoint = openCheckpoint(folder)
  const { images, warnings } = imageFacts(checkpoint)
  warnings.unshift(...(await checkpointWarnings(checkpoint)))
  return { type: 'result', checkpoint: folder, ...headerFacts(checkpoint), images, warnings }
}
