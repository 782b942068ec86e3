import type { RopeScaling } from '../ops/rotary.ts'

/** What is left of one decoder layer. Layers of a pruned model may differ. */
export interface LayerShape {
  heads: number
  keyValueHeads: number
  channels: number
  /**
   * Key/value head that each query head reads, one entry a query head. Only where the query heads were pruned raggedly;
   * otherwise query head h reads key/value head floor(h * keyValueHeads / heads).
   */
  keyValueHeadOf?: number[] | undefined
}

/** A Llama-family architecture (Llama 1 to 3, Mistral, Qwen 2, 2.5 and 3), read from config.json and checked. */
export interface ModelConfig {
  /** "model_type" of config.json. */
  family: 'llama' | 'mistral' | 'qwen2' | 'qwen3'
  vocabularySize: number
  hiddenSize: number
  /** Width of one attention head; need not be hiddenSize / heads. */
  headSize: number
  layers: LayerShape[]
  maxPositions: number
  /** Tokens that attention looks back, or null for all. */
  slidingWindow: number | null
  normEpsilon: number
  ropeTheta: number
  ropeScaling: RopeScaling | null
  bias: { queryKeyValue: boolean; output: boolean; feedForward: boolean }
  /** RMSNorm over each query and key head before the rotation (Qwen 3). */
  queryKeyNorm: boolean
  tiedEmbeddings: boolean
  bosId: number | null
  eosIds: number[]
  /** The parsed config.json itself, so that fields we do not use survive a rewrite. */
  source: Record<string, unknown>
}

export type { StoredTensor, WeightType } from '../tensor/stored-tensor.ts'
