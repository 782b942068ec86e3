/** What a pair's product is multiplied with: alpha / rank, or alpha / sqrt(rank) in rsLoRA (arXiv 2312.03732). */
export const adapterScale = ({
  alpha,
  rank,
  rankStabilised,
}: {
  alpha: number
  rank: number
  rankStabilised: boolean
}): number => alpha / (rankStabilised ? Math.sqrt(rank) : rank)
