import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Checkpoint } from './checkpoint.ts'
import type { LayerShape } from './model-config.ts'
import type { WeightType } from '../tensor/stored-tensor.ts'

export interface CheckpointSummary {
  family: string
  parameters: number
  dtype: WeightType
  /** Bytes of the weights. */
  bytes: number
  layers: LayerShape[]
  /** The file of the tokenizer, or null where there is none. */
  tokenizer: 'tokenizer.json' | 'tokenizer.model' | null
}

/** What a person wants to know of a checkpoint before working with it. */
export function checkpointSummary({ folder, config, parameters, dtype, bytes }: Checkpoint): CheckpointSummary {
  const tokenizer = (['tokenizer.json', 'tokenizer.model'] as const).find((name) => existsSync(join(folder, name)))
  return { family: config.family, parameters, dtype, bytes, layers: config.layers, tokenizer: tokenizer ?? null }
}
