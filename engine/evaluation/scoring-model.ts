export interface LikelihoodItem {
  /** Token ids that come before; at least one. */
  prefix: number[]
  /** Token sequences to score after the prefix, each at least one token. */
  suffixes: number[][]
  /** What the prefix starts with as those of other items do, which hold the same object: it need be computed only once. */
  stem?: Stem
}

/** The first tokens of several prefixes. */
export interface Stem {
  readonly tokens: number
}

/** What scoring needs of a language model. */
export interface ScoringModel {
  /**
   * Positions that the model has. The prefix and a suffix together hold at most one token more: the last token of a
   * suffix is only predicted, never read.
   */
  readonly maxLength: number
  readonly vocabularySize: number
  /**
   * For each item and suffix, the natural log-probability of each suffix token given the prefix and the tokens of the
   * suffix before it; log-softmax over the whole vocabulary. Items of one call are computed as one batch; the prefix of an
   * item is computed once.
   */
  logLikelihoods(items: readonly LikelihoodItem[]): Promise<number[][][]>
}

export interface GreedyScoringModel extends ScoringModel {
  /** `logLikelihoods`, and whether each token is the likeliest of the vocabulary at its place. */
  greedyLikelihoods(items: readonly LikelihoodItem[]): Promise<GreedyLikelihoods>
}

/** For each item, suffix and token. */
export interface GreedyLikelihoods {
  logLikelihoods: number[][][]
  likeliest: boolean[][][]
}
