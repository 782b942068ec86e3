import { setImmediate } from 'node:timers/promises'
import type { FinetuneJob, JobContext, PruneJob, StepMetrics } from '../contract/index.ts'
import type { LayerMask } from '../models/family.ts'
import type { PrunedEvent } from '../pruning/prune.ts'
import { SecateurError } from '../shared/errors.ts'
import type { SavedValues } from '../shared/saved-values.ts'
import type { StepEvent } from '../training/loop.ts'
import type { TrainingRun } from './prepare.ts'
import type { RunFolder } from './run-folder.ts'
import { Sampler } from './samples.ts'
import { trainingState } from './state.ts'

/** What happens in a run, and what its parts know beside the trainer. */
export interface Happenings {
  events: AsyncGenerator<StepEvent | PrunedEvent>
  /** What the forward pass applies at present. */
  masks?: () => readonly LayerMask[] | undefined
  /** What else to save. */
  state?: () => SavedValues
}

/**
 * Lets a run happen to its last step and writes it down: metrics, snapshots, samples, and its state now and then.
 *
 * @returns loss of the last step; null where there was none, or it was not a number
 * @throws SecateurError of kind `interrupted`, with the state saved, where the signal stops the run
 */
export async function record(
  job: FinetuneJob | PruneJob,
  run: TrainingRun,
  folder: RunFolder,
  context: JobContext,
  happenings: Happenings,
): Promise<number | null> {
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
  { events, masks, state }: Happenings,
): Promise<number | null> {
  const { trainer, steps } = run
  const { emit, signal } = context
  let last = run.done
  const save = () => {
    folder.save(last, new Map([...trainingState(trainer), ...(state?.() ?? [])]))
    emit({ type: 'saved', step: last })
  }
  const stopIfAsked = () => {
    if (!signal.aborted || last >= steps) return
    save()
    throw new SecateurError(
      'interrupted',
      `stopped after step ${last} of ${steps}; the state is saved in ${folder.path}: continue with --resume`,
    )
  }
  const sampler = new Sampler(job, { ...run, masks }, folder, context)
  await sampler.start(run.done)
  stopIfAsked()
  const pace = new Pace()
  let loss: number | null = null
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
    const metrics: StepMetrics = {
      step: event.step,
      loss,
      learningRate: event.learningRate,
      gradientNorm: numberOrNull(event.gradientNorm),
      tokens: event.tokens,
      ...(event.sparsity && { sparsity: event.sparsity }),
    }
    folder.metrics.append(metrics)
    emit({
      type: 'step',
      steps,
      tokensPerSecond: pace.tokensPerSecond,
      secondsLeft: pace.secondsAStep * (steps - last),
      memoryBytes: process.memoryUsage.rss(),
      metrics,
    })
    if (last % job.saveEvery === 0 || last === steps) save()
    await sampler.after(last)
    await setImmediate()
    stopIfAsked()
    pace.start()
  }
  return loss
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
