import { setImmediate } from 'node:timers/promises'
import type { FinetuneJob, JobContext, PruneJob, StepMetrics, Validation } from '../contract/index.ts'
import { type AdapterValues, adapterValues } from '../lora/adapter.ts'
import type { LayerMask } from '../models/family.ts'
import type { PrunedEvent } from '../pruning/prune.ts'
import { SecateurError } from '../shared/errors.ts'
import type { SavedValues } from '../shared/saved-values.ts'
import type { StepEvent } from '../training/loop.ts'
import type { TrainingRun } from './prepare.ts'
import type { RunFolder } from './run-folder.ts'
import { Sampler } from './samples.ts'
import { trainingState } from './state.ts'
import { Validator } from './validation.ts'

/** What happens in a run, and what its parts know beside the trainer. */
export interface Happenings {
  events: AsyncGenerator<StepEvent | PrunedEvent>
  /** What the forward pass applies at present. */
  masks?: () => readonly LayerMask[] | undefined
  /** Puts the model of a resumed run into the state that it had: what is measured or sampled before the next step is of that. */
  prepare?: () => Promise<void>
  /** What else to save. */
  state?: () => SavedValues
  /** Whether the adapter of a step may be what is written in the end (default: of any step). */
  mayBeWritten?: (step: number) => boolean
}

/** What a run came to. */
export interface Recorded {
  /** Of the last step; null where there was none, or it was not a number. */
  loss: number | null
  /** The adapter to write: of the best step by the validation, or of the last one. */
  adapter: AdapterValues
  validation: Validation | null
}

/**
 * Lets a run happen to its last step and writes it down: metrics, snapshots, samples, and its state now and then.
 *
 * @throws SecateurError of kind `interrupted`, with the state saved, where the signal stops the run
 */
export async function record(
  job: FinetuneJob | PruneJob,
  run: TrainingRun,
  folder: RunFolder,
  context: JobContext,
  happenings: Happenings,
): Promise<Recorded> {
  try {
    return await writeDown(job, run, folder, context, happenings)
  } catch (error) {
    throw withSavedStep(error, folder)
  }
}

/** What a graphics card complained of, with the step that the run can go on from. */
function withSavedStep(error: unknown, folder: RunFolder): unknown {
  if (!(error instanceof SecateurError) || !['unsupported', 'does-not-fit'].includes(error.kind)) return error
  const step = folder.load()?.step ?? 0
  const saved = step > 0 ? `the state after step ${step} is saved in ${folder.path}` : 'no state was saved yet'
  return new SecateurError(error.kind, `${error.message}; ${saved}: start the command again with --resume`, {
    cause: error,
  })
}

async function writeDown(
  job: FinetuneJob | PruneJob,
  run: TrainingRun,
  folder: RunFolder,
  context: JobContext,
  { events, masks, prepare, state, mayBeWritten = () => true }: Happenings,
): Promise<Recorded> {
  const { trainer, steps } = run
  const { emit, signal } = context
  let last = run.done
  const validator =
    run.validation &&
    new Validator(job, run.validation, run, { masks: masks ?? (() => undefined), mayBeWritten }, context)
  if (run.saved) validator?.restore(run.saved)
  const save = () => {
    folder.save(last, new Map([...trainingState(trainer), ...(state?.() ?? []), ...(validator?.state() ?? [])]))
    emit({ type: 'saved', step: last })
  }
  /** @param isWhole whether the step was measured, if it was to be: the last one is over only then */
  const stopIfAsked = (isWhole = true) => {
    if (!signal.aborted || (last >= steps && isWhole)) return
    save()
    throw new SecateurError(
      'interrupted',
      `stopped after step ${last} of ${steps}; the state is saved in ${folder.path}: continue with --resume`,
    )
  }
  const sampler = new Sampler(job, { ...run, masks }, folder, context)
  if (run.done > 0) await prepare?.()
  const isWhole = await validator?.resume(run.lastLine, folder)
  await sampler.start(run.done)
  stopIfAsked(isWhole)
  const { family, config } = trainer.model
  /** Positions that an image has in the model. */
  const ofImage = family.task === 'image-classification' ? config.maxPositions : undefined
  const pace = new Pace()
  // A run that stopped after its last step takes none any more.
  let loss = run.lastLine?.step === steps ? run.lastLine.loss : null
  for await (const event of events) {
    if (event.type === 'pruned') {
      folder.snapshots.append(event.snapshot)
      emit(event)
      continue
    }
    folder.check()
    last = event.step
    loss = numberOrNull(event.loss)
    pace.add(event.tokens)
    const isMeasured = validator?.isDue(last) ?? false
    const measured = isMeasured ? await validator!.measure(last) : undefined
    const metrics: StepMetrics = {
      step: event.step,
      loss,
      learningRate: event.learningRate,
      gradientNorm: numberOrNull(event.gradientNorm),
      tokens: event.tokens,
      ...(event.sparsity && { sparsity: event.sparsity }),
      ...measured,
    }
    folder.metrics.append(metrics)
    emit({
      type: 'step',
      steps,
      tokensPerSecond: pace.tokensPerSecond,
      ...(ofImage !== undefined && { imagesPerSecond: pace.tokensPerSecond / ofImage }),
      secondsLeft: pace.secondsAStep * (steps - last),
      memoryBytes: process.memoryUsage.rss(),
      metrics,
    })
    if (measured !== undefined) validator?.tell(last, measured)
    if (last % job.saveEvery === 0 || last === steps) save()
    await sampler.after(last)
    await setImmediate()
    stopIfAsked(!isMeasured || measured !== undefined)
    pace.start()
  }
  // What is removed without training is measured too, though no step has a line for it.
  if (validator && steps === 0) await measuredOnce(validator, signal)
  return { loss, adapter: validator?.written ?? adapterValues(trainer.adapter), validation: validator?.result ?? null }
}

async function measuredOnce(validator: Validator, signal: AbortSignal): Promise<void> {
  const measured = await validator.measure(0)
  if (measured === undefined) return signal.throwIfAborted()
  validator.tell(0, measured)
}

/** JSON knows neither NaN nor infinity. */
const numberOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null)

/** Tokens a second over the last steps: the first ones, which compile graphs, are soon forgotten. */
class Pace {
  readonly #recent: { tokens: number; seconds: number }[] = []
  readonly #begun = performance.now()
  #started = performance.now()
  #steps = 0

  /** A step begins. */
  start(): void {
    this.#started = performance.now()
  }

  /** A step has ended. */
  add(tokens: number): void {
    this.#steps++
    this.#recent.push({ tokens, seconds: (performance.now() - this.#started) / 1000 })
    if (this.#recent.length > 20) this.#recent.shift()
  }

  get tokensPerSecond(): number {
    const sum = (name: 'tokens' | 'seconds') => this.#recent.reduce((total, step) => total + step[name], 0)
    return sum('tokens') / sum('seconds')
  }

  /** Mean over all steps, with what is done between them. */
  get secondsAStep(): number {
    return (performance.now() - this.#begun) / 1000 / this.#steps
  }
}
