import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import type { FinetuneJob, JobContext, PruneJob } from '../contract/index.ts'
import { badSetting } from '../shared/errors.ts'
import { generate } from '../evaluation/generation.ts'
import { checkPrompt, encodePrompt } from '../evaluation/prompt.ts'
import { Random } from '../shared/random.ts'
import type { LayerMask } from '../models/family.ts'
import type { Trainer } from '../training/trainer.ts'
import type { RunFolder } from './run-folder.ts'

type SampleSettings = Pick<FinetuneJob | PruneJob, 'sampleEvery' | 'samplePrompts' | 'sampleTokens'>

/** What texts are continued with. */
export interface TextTools {
  tokenizer: Tokenizer
  /** Token ids at which samples end; empty where a run takes none. */
  stopIds: readonly number[]
}

/**
 * Lets the model, with the adapter and the masks that it has, continue the prompts now and then: before the first step,
 * every `sampleEvery` steps, and after the last. Greedy, so that nothing random is drawn and training is left as it is.
 */
export class Sampler {
  readonly #settings: SampleSettings
  readonly #steps: number
  readonly #trainer: Trainer
  readonly #masks: () => readonly LayerMask[] | undefined
  readonly #text: TextTools | null
  readonly #folder: RunFolder
  readonly #context: JobContext

  constructor(
    settings: SampleSettings,
    run: {
      trainer: Trainer
      /** Null where the model writes no text: no samples are taken then. */
      text: TextTools | null
      steps: number
      masks?: (() => readonly LayerMask[] | undefined) | undefined
    },
    folder: RunFolder,
    context: JobContext,
  ) {
    this.#settings = settings
    this.#steps = run.steps
    this.#trainer = run.trainer
    this.#masks = run.masks ?? (() => undefined)
    this.#text = run.text
    this.#folder = folder
    this.#context = context
  }

  /** Opens samples.jsonl for a run that stands at `step`, and takes that step's samples where they are not all there. */
  async start(step: number): Promise<void> {
    let there = 0
    const warn = (message: string) => this.#context.emit({ type: 'warning', message })
    this.#folder.samples.start(step, warn, (sample) => void (sample.step === step && there++))
    if (!this.#isDue(step) || there === this.#settings.samplePrompts.length) return
    this.#folder.samples.start(step - 1, warn)
    await this.after(step)
  }

  /** Takes samples after a step where it is time for them. A stop leaves them to the resumed run. */
  async after(step: number): Promise<void> {
    const text = this.#text
    if (text === null || !this.#isDue(step)) return
    const { samplePrompts: prompts } = this.#settings
    const { emit, signal } = this.#context
    for (const [index, prompt] of prompts.entries()) {
      emit({ type: 'progress', stage: 'generating samples', done: index, total: prompts.length })
      const continued = await this.#continue(prompt, text)
      if (signal.aborted) return
      const sample = { step, prompt, text: continued }
      this.#folder.samples.append(sample)
      emit({ type: 'sample', sample })
    }
  }

  #isDue(step: number): boolean {
    const { sampleEvery } = this.#settings
    return sampleEvery > 0 && (step % sampleEvery === 0 || step === this.#steps)
  }

  async #continue(prompt: string, { tokenizer, stopIds }: TextTools): Promise<string> {
    const { model, adapter } = this.#trainer
    const before = encodePrompt(tokenizer, prompt)
    const ids: number[] = []
    try {
      await generate(
        model,
        before,
        {
          tokens: this.#settings.sampleTokens,
          temperature: 0,
          topP: 1,
          random: new Random(0),
          stop: stopIds,
          signal: this.#context.signal,
          onToken: (id) => ids.push(id),
        },
        { adapter, masks: this.#masks() },
      )
    } catch (error) {
      if (!this.#context.signal.aborted) throw error
    }
    const { length } = tokenizer.decode(before)
    return tokenizer.decode([...before, ...ids]).slice(length)
  }
}

/** @throws SecateurError where samples are wanted and there is nothing to continue, or nothing that the model can read. */
export function checkSampleSettings(
  { sampleEvery, samplePrompts }: SampleSettings,
  tokenizer: Tokenizer,
  maxPositions: number,
): void {
  if (sampleEvery === 0) return
  if (samplePrompts.length === 0)
    throw badSetting('samplePrompts', 'give at least one prompt for the samples to continue, or set sampleEvery to 0')
  for (const prompt of samplePrompts) checkPrompt(encodePrompt(tokenizer, prompt), maxPositions)
}
