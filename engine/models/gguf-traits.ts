import type { KeyReader } from '../checkpoint/gguf/key-reader.ts'

/** What llama.cpp calls a family, how its GGUF files differ from the checkpoints, and what they cannot say. */
export interface GgufTraits {
  /** `general.architecture` of a file whose layers have the same counts. */
  architecture: string
  /** The architecture that takes counts layer by layer; null where there is none. */
  perLayer: 'deci' | null
  /**
   * Whether the rotary embedding turns neighbours (features 0 and 1, 2 and 3). Checkpoints turn feature i with
   * i + headSize / 2, so that the rows of queries and keys are in another order in the file.
   */
  neighbours: boolean
  /** Names of weights that hold several linear layers, by the names of those, joined with "+". */
  fused?: Readonly<Record<string, string>>
  /** Linear layers whose bias is read, by their names within a block. */
  biases: readonly string[]
  /** Whether heads * headSize must be the hidden size. */
  headsFillHidden?: true
  /** Whether the rotary frequencies can have factors, as Llama 3 scales them. */
  ropeFactors?: true
  /** Whether every so manieth layer looks at everything and the others have a window; without it no layer has one. */
  windows?: true
  /** Every layer but each so manieth is told positions. */
  unrotatedEvery?: number
  /** What llama.cpp multiplies attention scores with, where it is not 1 / sqrt(headSize). */
  attentionScale?: (config: { hiddenSize: number; headSize: number; layers: readonly { heads: number }[] }) => number
  /** Whether a file of the architecture is of this family, where several families share one; the first is taken otherwise. */
  claims?(keys: KeyReader, architecture: string): boolean
  /** What its keys say beyond the fields that all families have, as fields of config.json. */
  fields?(keys: KeyReader, architecture: string, common: CommonFields): Record<string, unknown>
}

/** Fields of config.json that every GGUF file says. */
export interface CommonFields extends Record<string, unknown> {
  num_hidden_layers: number
  num_attention_heads: number
  hidden_size: number
  head_dim: number
}

/** The sliding window that a file has; null where it has none. */
export const windowOf = (keys: KeyReader, architecture: string): number | null =>
  keys.integer(`${architecture}.attention.sliding_window`) || null
