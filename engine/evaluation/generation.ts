import { setImmediate } from 'node:timers/promises'
import type { Model } from '../models/family.ts'
import type { Random } from '../shared/random.ts'
import { type Changes, KeyValueCache } from './key-value-cache.ts'
import { type NextScores, pickNext, rowsOf } from './pick.ts'
import { checkPrompt } from './prompt.ts'
import type { Sampling } from './sampling.ts'

interface Limits {
  /** New tokens at most. */
  tokens: number
  /** Token ids at which to stop. */
  stop: readonly number[]
  signal?: AbortSignal | undefined
}

export interface GenerationSettings extends Sampling, Limits {
  random: Random
  /** Hears each new token, and may ask for the logits that it was chosen by, of all tokens. */
  onToken?: (id: number, scores: () => Float32Array) => void
  /** Asked after each token whether that was the last one. */
  isOver?: () => boolean
}

export interface Generation {
  /** The new ids, without the stopping one. */
  ids: number[]
  promptSeconds: number
  generationSeconds: number
}

/**
 * Continues a prompt with a key-value cache: the prompt is computed at once, then one token at a time.
 *
 * @throws SecateurError where the prompt is empty or does not fit the model's positions.
 */
export async function generate(
  model: Model,
  prompt: number[],
  settings: GenerationSettings,
  changes: Changes = {},
): Promise<Generation> {
  const { maxPositions } = model.config
  checkPrompt(prompt, maxPositions)
  const most = Math.min(settings.tokens, maxPositions - prompt.length)
  const cache = new KeyValueCache(model, prompt.length + most, changes)
  const ids: number[] = []
  const started = performance.now()
  const prompted = cache.prompt([prompt], prompt.length)
  let last: NextScores = { likeliest: null, all: () => prompted }
  const afterPrompt = performance.now()
  try {
    while (ids.length < most) {
      settings.signal?.throwIfAborted()
      const id = pickNext(last, settings)
      if (settings.stop.includes(id)) break
      ids.push(id)
      settings.onToken?.(id, last.all)
      if (settings.isOver?.()) break
      if (ids.length < most) [last] = cache.nextToPick([id], settings.temperature) as [NextScores]
      await setImmediate()
    }
  } finally {
    cache.dispose()
  }
  return {
    ids,
    promptSeconds: (afterPrompt - started) / 1000,
    generationSeconds: (performance.now() - afterPrompt) / 1000,
  }
}

/** Places that prompts of a batch take are a multiple of this, so that few graphs are compiled. */
const promptStep = 32

/** Places that prompts of these lengths take together. */
export const promptWidth = (lengths: readonly number[]): number =>
  Math.ceil(Math.max(...lengths) / promptStep) * promptStep

/** What a prompt became. */
export interface Continuation {
  /** The new ids, without the stopping one. */
  ids: number[]
  /** Whether a stopping token ended it, and not the limit. */
  stopped: boolean
}

/**
 * Continues several prompts at once, each with draws of its own: what a row becomes does not depend on the draws of the others.
 *
 * @throws SecateurError where a prompt is empty or does not fit the model's positions.
 */
export async function generateBatch(
  model: Model,
  prompts: readonly { ids: readonly number[]; random: Random }[],
  settings: Sampling & Limits & { onTokens?: (tokens: number) => void },
): Promise<Continuation[]> {
  const { maxPositions, vocabularySize } = model.config
  for (const { ids } of prompts) checkPrompt(ids, maxPositions)
  const width = promptWidth(prompts.map(({ ids }) => ids.length))
  const limits = prompts.map(({ ids }) => Math.min(settings.tokens, maxPositions - ids.length))
  const rows = prompts.map((): Continuation => ({ ids: [], stopped: false }))
  const isOver = (row: number) => rows[row]!.stopped || rows[row]!.ids.length === limits[row]!
  const cache = new KeyValueCache(model, width + Math.max(...limits), {})
  try {
    const prompted = cache.prompt(
      prompts.map(({ ids }) => ids),
      width,
    )
    let scores = rowsOf(prompted, vocabularySize)
    for (let tokens = 1; ; tokens++) {
      settings.signal?.throwIfAborted()
      for (const [row, { random }] of prompts.entries()) {
        if (isOver(row)) continue
        const id = pickNext(scores[row]!, { ...settings, random })
        if (settings.stop.includes(id)) rows[row]!.stopped = true
        else rows[row]!.ids.push(id)
      }
      settings.onTokens?.(tokens)
      if (rows.every((_, row) => isOver(row))) return rows
      // What is over goes on with any token, which nobody looks at.
      scores = cache.nextToPick(
        rows.map(({ ids }) => ids.at(-1) ?? 0),
        settings.temperature,
      )
      await setImmediate()
    }
  } finally {
    cache.dispose()
  }
}
