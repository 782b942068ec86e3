import { z } from 'zod'

/** What a judge says of one file. Differences are the worst, absolute; that of a perplexity is relative. */
export const verdictSchema = z.object({
  model: z.string(),
  /** What Secateur did to the model, or which adapter it is. */
  what: z.string(),
  logits: z.number().optional(),
  perplexity: z.number().optional(),
  /** Whether the greedy continuations are the same, token by token. */
  greedy: z.boolean().optional(),
  gradients: z.number().optional(),
  /** Why the judge could not load the file. */
  error: z.string().optional(),
})
export type Verdict = z.infer<typeof verdictSchema>

export const verdictsSchema = z.object({
  versions: z.record(z.string(), z.string()),
  verdicts: z.array(verdictSchema),
})
export type Verdicts = z.infer<typeof verdictsSchema>

/** Differences that are rounding: the engine computes in float32, the judges in float64. */
const tolerances = { logits: 2e-4, perplexity: 1e-5, gradients: 1e-4 }

export function agrees({ error, greedy, logits = 0, perplexity = 0, gradients = 0 }: Verdict): boolean {
  const within = logits <= tolerances.logits && perplexity <= tolerances.perplexity && gradients <= tolerances.gradients
  return error === undefined && greedy !== false && within
}
