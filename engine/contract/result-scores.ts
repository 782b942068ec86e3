import type { Scores } from './evaluation.ts'
import type { ResultEvent } from './events.ts'

/** Scores of a result, as they stand in the contract; null of a job that scored nothing. */
export function scoresOf({
  tasks,
  perplexity,
  classification,
  latency,
  examples,
  examplesRan,
}: ResultEvent): Scores | null {
  if ([tasks, perplexity, classification, latency, examples].every((scores) => scores === undefined)) return null
  return {
    tasks: tasks ?? {},
    perplexity: perplexity ?? {},
    ...(classification && { classification }),
    ...(latency && { latency }),
    ...(examples && { examples }),
    ...(examplesRan && { examplesRan }),
  }
}
