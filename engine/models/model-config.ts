/** Where a decoder layer's attention looks. */
export interface LayerAttention {
  /** Whether it looks back `slidingWindow` tokens only. */
  sliding: boolean
  /** Whether queries and keys are rotated by their positions. */
  rotary: boolean
}

/** What is left of one layer. Layers of a pruned model may differ. */
export interface LayerShape {
  heads: number
  keyValueHeads: number
  channels: number
  /**
   * Key/value head that each query head reads, one entry a query head. Only where the query heads were pruned raggedly;
   * otherwise query head h reads key/value head floor(h * keyValueHeads / heads).
   */
  keyValueHeadOf?: number[] | undefined
  /** Only in families whose layers differ in it. */
  attention?: LayerAttention | undefined
}

/** What every architecture has, read from config.json and checked. A family adds what it alone knows. */
export interface ModelConfig {
  /** The family's name in the registry: "model_type" of config.json. */
  family: string
  /** Rows of the output head. */
  vocabularySize: number
  hiddenSize: number
  /** Width of one attention head; need not be hiddenSize / heads. */
  headSize: number
  layers: LayerShape[]
  maxPositions: number
  /** Numbers that a patch of an image is made of; only in models of images. */
  patchValues?: number | undefined
  normEpsilon: number
  /** Whether the output head is the embedding. */
  tiedEmbeddings: boolean
  bosId: number | null
  eosIds: number[]
  /** The parsed config.json itself, so that fields we do not use survive a rewrite. */
  source: Record<string, unknown>
}
