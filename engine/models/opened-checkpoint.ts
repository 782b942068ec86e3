import type { PlacedTensor, WeightFile } from '../checkpoint/weight-files.ts'
import type { TensorSummary } from './match-tensors.ts'
import type { ModelConfig } from './model-config.ts'
import type { StoredHead } from './tied-head.ts'

/** What the weights were rounded to when their file was made. */
export interface Quantisation {
  /** Scales counted, over all weights. */
  bitsPerWeight: number
  /** Weights of each type that the file has, by the type's name. */
  types: Record<string, number>
}

/** A checkpoint as its folder or file gives it, before any weight is read. */
export interface OpenedCheckpoint {
  /** The folder, or the first file. */
  path: string
  config: ModelConfig
  files: readonly WeightFile[]
  /** Where each weight of the model is, and what else the files hold, by the names that folders have. */
  places: ReadonlyMap<string, PlacedTensor>
  /** The weights of the model, in the order in which it uses them. */
  used: ReadonlyMap<string, TensorSummary>
  ignored: readonly string[]
  warnings: readonly string[]
  /** A head that is stored beside the embedding that it seems to repeat. */
  sameHead: StoredHead | null
  /** Null where weights are stored as numbers of their own. */
  quantisation: Quantisation | null
}
