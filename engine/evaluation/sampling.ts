/** How the next token is chosen. */
export interface Sampling {
  /** 0 takes the likeliest token; otherwise logits are divided by it before a token is drawn. */
  temperature: number
  /** The smallest set of likeliest tokens whose probabilities reach this is drawn from (1: all). */
  topP: number
  /** As many of the likeliest tokens are drawn from at most (0, or not given: all); `topP` is a share of theirs. */
  topK?: number
}
