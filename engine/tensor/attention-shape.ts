/** What an attention kernel is told besides its tensors. */
export interface AttentionShape {
  rows: number
  /** Positions that ask, and positions that are looked at. */
  queries: number
  keys: number
  heads: number
  keyValueHeads: number
  headSize: number
  /** Whether `bias` forbids every key after its query, so that a kernel may leave those out. */
  causal: boolean
}
