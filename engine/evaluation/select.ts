import { PythonRandom } from '../shared/python-random.ts'

/**
 * - `modern`: today's lm-evaluation-harness
 * - `legacy`: the one that LLM-Pruner bundles, by which the pruning papers' tables are made
 */
export type EvaluationMode = 'modern' | 'legacy'

export interface Selection {
  /** Indices of the rows to score, in the order in which few-shot examples are drawn for them. */
  order: number[]
  /** The generator that draws those examples. */
  random: PythonRandom
}

/** Of the harness's draw of examples, where nothing else is said. */
export const fewShotSeed = 1234

/**
 * The rows that a run with a limit scores: the first ones (modern), or the first ones after a shuffle (legacy). `seed` is
 * that of the few-shot examples in modern mode; legacy draws everything from one generator with a fixed seed.
 */
export function selectRows(count: number, mode: EvaluationMode, limit = count, seed = fewShotSeed): Selection {
  const order = Array.from({ length: count }, (_, index) => index)
  const random = new PythonRandom(mode === 'modern' ? seed : 42)
  if (mode === 'legacy') random.shuffle(order)
  return { order: order.slice(0, limit), random }
}

/** As selectRows, of a task whose rows belong to subjects: the limit is that of each subject. */
export function selectRowsOfParts(parts: readonly (string | undefined)[], limit = Infinity): number[] {
  const taken = new Map<string | undefined, number>()
  return [...parts.keys()].filter((index) => {
    const count = (taken.get(parts[index]) ?? 0) + 1
    taken.set(parts[index], count)
    return count <= limit
  })
}
