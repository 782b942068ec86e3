import type { EvaluationSettings } from '../contract/index.ts'
import { collectProblems, type SecateurError } from '../shared/errors.ts'
import { sum } from '../shared/sum.ts'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import { corpusCalled } from './corpus.ts'
import { openTask } from './open-task.ts'
import { encodeCorpus } from './perplexity.ts'
import { planTask } from './plan.ts'
import { checkPrompt, encodePrompt } from './prompt.ts'
import { unitsOf } from './shared-stems.ts'
import { checkShots } from './shots.ts'

/** What scoring reads of a model before it computes anything. */
export interface ScoredModel {
  tokenizer: Tokenizer
  maxLength: number
}

interface CheckControl {
  signal: AbortSignal
  onFile?: (file: string, fraction: number) => void
  onTokens?: (name: string, tokens: number) => void
}

/**
 * Why scoring would be refused: every file is read and every row that will be scored is encoded, so that a wrong row, or a
 * token that the model has not, is found before hours of training and not after them.
 *
 * @param control.onFile hears which fraction of a file is checked
 * @param control.onTokens hears how many tokens a model reads of a task or a text, by its name
 * @returns the first problem of each file; empty where there is none
 */
export async function evaluationProblems(
  settings: EvaluationSettings,
  { tokenizer, maxLength }: ScoredModel,
  { signal, onFile, onTokens }: CheckControl,
): Promise<SecateurError[]> {
  const problems: SecateurError[] = []
  const attempt = (work: () => void | Promise<void>) => collectProblems(problems, work)
  await attempt(() => checkShots(settings))
  for (const [name, file] of Object.entries(settings.tasks))
    await attempt(async () => {
      const { task, rows, shots } = await openTask(name, settings, signal)
      const plan = await planTask({ maxLength }, tokenizer, task, rows, {
        mode: settings.mode,
        batchTokens: settings.batchTokens,
        ...(settings.limit === undefined ? {} : { limit: settings.limit }),
        shots,
        onProgress: ({ done, total }) => onFile?.(file, done / total),
        signal,
      })
      const units = unitsOf(plan.map(({ planned }) => planned.item))
      onTokens?.(name, sum(units.map(({ length }) => length)))
      onFile?.(file, 1)
    })
  for (const [name, file] of Object.entries(settings.perplexity))
    await attempt(async () => {
      const { window } = settings
      const { ids } = await encodeCorpus(file, tokenizer, maxLength, { window, ...corpusCalled(name), signal })
      onTokens?.(name, window * Math.min(Math.floor(ids.length / window), settings.maxWindows ?? Infinity))
      onFile?.(file, 1)
    })
  for (const prompt of settings.prompts) await attempt(() => checkPrompt(encodePrompt(tokenizer, prompt), maxLength))
  return problems
}
