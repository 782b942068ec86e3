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
}
