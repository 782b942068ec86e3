/** What llama.cpp calls a family, and how its GGUF files differ from the checkpoints. */
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
}
