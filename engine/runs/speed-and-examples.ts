import type { EvaluationSettings, JobContext, Ran, Scores } from '../contract/index.ts'
import { generate } from '../evaluation/generation.ts'
import { fittingPrompts, measureLatency, usualLatency } from '../evaluation/latency.ts'
import { checkPrompt, encodePrompt } from '../evaluation/prompt.ts'
import type { Adapter } from '../lora/adapter.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { stopIdsOf } from '../models/stop-ids.ts'
import { Random } from '../shared/random.ts'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import type { OwnModel } from './own-model.ts'

/** What is asked of a finished checkpoint beside its scores. */
export interface FinishedWork {
  /** Lengths of prompts that speed is measured at, which leave room for what is generated; none where it is not measured. */
  lengths: readonly number[]
  /** Token ids of prompts that are continued greedily. */
  prompts: readonly (readonly number[])[]
  maxNewTokens: number
  stop: readonly number[]
}

export interface FinishedAnswers {
  ran: Ran
  /** Of each length. */
  speeds: { promptTokensPerSecond: number; generatedTokensPerSecond: number }[]
  /** New token ids of each prompt. */
  written: number[][]
}

/** What runs finished checkpoints as their users will, where it can. */
export interface FinishedRunner {
  /**
   * @param asked.adapter whether an adapter is applied as the model runs
   * @param asked.begins called before it takes memory of its own
   * @returns the answers, or why it has none; null where it was not asked for
   */
  run: (
    checkpoint: Checkpoint,
    settings: Pick<EvaluationSettings, 'runner' | 'runnerType'>,
    asked: { work: FinishedWork; adapter: boolean; begins: () => void },
    context: JobContext,
  ) => Promise<FinishedAnswers | { why: string | null }>
  /** What the back end of the run is called where it answers. */
  own: (checkpoint: Checkpoint, why: string | null) => Ran
}

interface Asked {
  checkpoint: Checkpoint
  tokenizer: Tokenizer
  settings: EvaluationSettings
  /** What is not there yet of an earlier attempt. */
  missing: { latency: boolean; examples: boolean }
  adapter: Adapter | undefined
}

/** Speed of a checkpoint and its examples, on what the settings name. */
export async function speedAndExamples(
  { checkpoint, tokenizer, settings, missing, adapter }: Asked,
  { own, finished, context }: { own: OwnModel; finished: FinishedRunner; context: JobContext },
): Promise<Pick<Scores, 'latency' | 'examples' | 'examplesRan'>> {
  const { maxPositions } = checkpoint.config
  const asked = settings.latencyLengths.length > 0 ? settings.latencyLengths : [usualLatency.prompt]
  // Cut here, and not where they are measured: what is said is what is measured.
  const lengths = missing.latency ? fittingPrompts(asked, maxPositions, usualLatency.tokens) : []
  const prompts = missing.examples ? settings.prompts.map((prompt) => encodePrompt(tokenizer, prompt)) : []
  for (const ids of prompts) checkPrompt(ids, maxPositions)
  const stop = prompts.length > 0 ? stopIdsOf(checkpoint) : []
  const work = { lengths, prompts, maxNewTokens: settings.maxNewTokens, stop }
  const begins = () => own.release()
  const elsewhere = await finished.run(checkpoint, settings, { work, adapter: adapter !== undefined, begins }, context)
  const { ran, speeds, written } =
    'why' in elsewhere
      ? { ran: finished.own(checkpoint, elsewhere.why), ...(await onBackend(own, work, adapter, context)) }
      : elsewhere
  const byLength = speeds.map((speed, at) => ({ prompt: lengths[at]!, ...speed }))
  return {
    ...(missing.latency && {
      latency: { ...speeds[0]!, ...(settings.latencyLengths.length > 0 && { byLength }), ran },
    }),
    ...(missing.examples && {
      examples: written.map((ids, at) => ({
        prompt: settings.prompts[at]!,
        text: textOf(tokenizer, prompts[at]!, ids),
      })),
      examplesRan: ran,
    }),
  }
}

/** What new tokens add to the text of a prompt. */
const textOf = (tokenizer: Tokenizer, prompt: readonly number[], ids: readonly number[]): string =>
  tokenizer.decode([...prompt, ...ids]).slice(tokenizer.decode([...prompt]).length)

/** The same on the back end of the run. */
async function onBackend(
  own: OwnModel,
  { lengths, prompts, maxNewTokens: tokens, stop }: FinishedWork,
  adapter: Adapter | undefined,
  { emit, signal }: JobContext,
): Promise<Omit<FinishedAnswers, 'ran'>> {
  const model = await own.get()
  const speeds = []
  const written = []
  if (lengths.length > 0) emit({ type: 'progress', stage: 'measuring speed', done: 0, total: 0 })
  for (const prompt of lengths) speeds.push(await measureLatency(model, { prompt, signal, adapter }))
  if (prompts.length > 0) emit({ type: 'progress', stage: 'generating samples', done: 0, total: 0 })
  for (const prompt of prompts) {
    const greedy = { temperature: 0, topP: 1, random: new Random(0), stop }
    written.push((await generate(model, [...prompt], { tokens, ...greedy, signal }, { adapter })).ids)
  }
  return { speeds, written }
}
