import { median } from 'simple-statistics'
import type { LengthSpeed } from '../contract/index.ts'
import { Random, randomIds } from '../shared/random.ts'
import { greedily } from './messages.ts'
import type { LlamaCppModel } from './model.ts'

/** A model that is loaded, with what its prompts are drawn from. */
export interface MeasuredModel {
  model: LlamaCppModel
  vocabularySize: number
  threads: number
}

export interface SpeedOfModel {
  lengths: LengthSpeed[]
  /** That its process held at most. */
  memoryBytes: number
}

/** To the last token that is asked for. */
const plainly = { ...greedily, stop: [], quiet: true }

/**
 * Tokens per second of prompts and of what is generated after them, each the median of `repeats` runs after one that warms
 * up. The models take turns, so that other work on the computer slows all of them alike.
 *
 * @param control.onRun hears how many runs of how many are over
 */
export async function measureOnLlamaCpp(
  models: readonly MeasuredModel[],
  { lengths, newTokens, repeats }: { lengths: readonly number[]; newTokens: number; repeats: number },
  { signal, onRun }: { signal: AbortSignal; onRun: (done: number, total: number) => void },
): Promise<SpeedOfModel[]> {
  const measured = models.map((): SpeedOfModel => ({ lengths: [], memoryBytes: 0 }))
  const total = lengths.length * (repeats + 1) * models.length
  let done = 0
  for (const prompt of lengths) {
    const runs = models.map((): { prompt: number; generated: number }[] => [])
    for (let run = 0; run <= repeats; run++)
      for (const [at, { model, vocabularySize, threads }] of models.entries()) {
        onRun(done++, total)
        const ids = randomIds(new Random(0), prompt, vocabularySize)
        const written = await model.write({ ...plainly, prompt: ids, tokens: newTokens, threads }, { signal })
        signal.throwIfAborted()
        const own = measured[at]!
        own.memoryBytes = Math.max(own.memoryBytes, written.heldBytes)
        // The first new token comes out of the prompt.
        const generated = (written.tokens - 1) / written.generationSeconds
        if (run > 0) runs[at]!.push({ prompt: prompt / written.promptSeconds, generated })
      }
    for (const [at, own] of measured.entries())
      own.lengths.push({
        prompt,
        promptTokensPerSecond: median(runs[at]!.map((run) => run.prompt)),
        generatedTokensPerSecond: median(runs[at]!.map((run) => run.generated)),
      })
  }
  onRun(total, total)
  return measured
}
