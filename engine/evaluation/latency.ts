import { median } from 'simple-statistics'
import type { Adapter } from '../lora/adapter.ts'
import type { Model } from '../models/family.ts'
import { Random, randomIds } from '../shared/random.ts'
import { generate } from './generation.ts'

export interface LatencyOptions {
  /** Tokens read, and generated after them. */
  prompt?: number
  tokens?: number
  repeats?: number
  signal?: AbortSignal
  /** Applied as the model runs. */
  adapter?: Adapter | undefined
}

/** What is measured where nothing else is asked for. */
export const usualLatency = { prompt: 128, tokens: 32, repeats: 3 }

/** The length of a prompt, cut to what a model reads with the tokens that are generated after it. */
const fittingPrompt = (length: number, maxPositions: number, tokens: number): number =>
  Math.max(1, Math.min(length, maxPositions - tokens))

/** Lengths of prompts, cut in the same way, each once. */
export const fittingPrompts = (lengths: readonly number[], maxPositions: number, tokens: number): number[] => [
  ...new Set(lengths.map((length) => fittingPrompt(length, maxPositions, tokens))),
]

/**
 * Tokens per second of one sequence: reading a prompt, and generating after it, each the median of `repeats` runs after
 * one that warms up. The prompt is random ids: speed does not depend on them.
 */
export async function measureLatency(
  model: Model,
  {
    prompt = usualLatency.prompt,
    tokens = usualLatency.tokens,
    repeats = usualLatency.repeats,
    signal,
    adapter,
  }: LatencyOptions = {},
): Promise<{ promptTokensPerSecond: number; generatedTokensPerSecond: number }> {
  const { maxPositions, vocabularySize } = model.config
  const promptLength = fittingPrompt(prompt, maxPositions, tokens)
  const random = new Random(0)
  const ids = randomIds(random, promptLength, vocabularySize)
  const runs: { prompt: number; generation: number }[] = []
  for (let run = 0; run <= repeats; run++) {
    const result = await generate(
      model,
      ids,
      { tokens, temperature: 0, topP: 1, random, stop: [], signal },
      { adapter },
    )
    // The first new token comes out of the prompt.
    const steps = result.ids.length - 1
    if (run > 0)
      runs.push({ prompt: promptLength / result.promptSeconds, generation: steps / result.generationSeconds })
  }
  return {
    promptTokensPerSecond: median(runs.map((run) => run.prompt)),
    generatedTokensPerSecond: median(runs.map((run) => run.generation)),
  }
}
