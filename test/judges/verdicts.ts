import { z } from 'zod'

/** What a judge says of one file. Differences are the worst, absolute; that of a perplexity is relative. */
export const verdictSchema = z.object({
  model: z.string(),
  /** What Secateur did to the model, or which adapter it is. */
  what: z.string(),
  logits: z.number().optional(),
  /** Of logits that were computed piece by piece, with a cache of keys and values. */
  cached: z.number().optional(),
  perplexity: z.number().optional(),
  /** Whether the greedy continuations are the same, token by token. */
  greedy: z.boolean().optional(),
  gradients: z.number().optional(),
  /** Of each choice: the sum over its tokens. */
  logLikelihoods: z.number().optional(),
  /** Whether acc and acc_norm are the same. */
  accuracies: z.boolean().optional(),
  /** Whether texts are the same, letter by letter. */
  same: z.boolean().optional(),
  /** Secateur's acc. */
  acc: z.number().optional(),
  /** Why the judge could not load the file. */
  error: z.string().optional(),
})
export type Verdict = z.infer<typeof verdictSchema>

export const verdictsSchema = z.object({
  versions: z.record(z.string(), z.string()),
  verdicts: z.array(verdictSchema),
})
export type Verdicts = z.infer<typeof verdictsSchema>

/** Differences that are rounding: the engine computes in float32, the judges in float64 or float32. */
const tolerances = { logits: 2e-4, cached: 2e-4, perplexity: 1e-5, gradients: 1e-4, logLikelihoods: 1e-4 }

/** A judgement of models whose rounding makes more of a difference than that of others. */
export function agreesWithin(wider: Partial<typeof tolerances>): (verdict: Verdict) => boolean {
  const allowed = Object.entries({ ...tolerances, ...wider }) as [keyof typeof tolerances, number][]
  return (verdict) => {
    const { error, greedy, accuracies, same } = verdict
    const within = allowed.every(([name, tolerance]) => (verdict[name] ?? 0) <= tolerance)
    return within && error === undefined && ![greedy, accuracies, same].includes(false)
  }
}

export const agrees = agreesWithin({})
