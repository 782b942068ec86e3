import type { ModelConfig } from '../models/model-config.ts'
import { promptWidth } from './generation.ts'

/** Prompts that are continued at once at most: more would wait for the longest of them. */
const mostRows = 16
/** Floats of keys and values that are held at once at most, where one prompt alone does not need more. */
const mostCached = 2 ** 28

/** How many prompts of a width are continued at once. */
export function rowsAtOnce(config: ModelConfig, width: number, tokens: number): number {
  const perPlace = config.layers.reduce((sum, { keyValueHeads }) => sum + 2 * keyValueHeads * config.headSize, 0)
  return Math.max(1, Math.min(mostRows, Math.floor(mostCached / (perPlace * (width + tokens)))))
}

/**
 * Prompts by length in batches that are continued at once. They follow from the prompts alone, so that rows that are written in
 * another session are the same.
 *
 * @param tokens new ones at most
 * @returns `tooLong`: prompts that leave no room in the positions of the model, which are in no batch
 */
export function batchedPrompts<Prompt>(
  prompts: readonly Prompt[],
  lengthOf: (prompt: Prompt) => number,
  config: ModelConfig,
  tokens: number,
): { batches: Prompt[][]; tooLong: number } {
  const fitting = prompts.filter((prompt) => lengthOf(prompt) < config.maxPositions)
  const ordered = fitting.toSorted((one, other) => lengthOf(one) - lengthOf(other))
  const batches: Prompt[][] = []
  for (const prompt of ordered) {
    const last = batches.at(-1)
    const fits = last && last.length < rowsAtOnce(config, promptWidth([lengthOf(prompt)]), tokens)
    if (fits) last.push(prompt)
    else batches.push([prompt])
  }
  return { batches, tooLong: prompts.length - fitting.length }
}
