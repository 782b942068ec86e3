import { setImmediate } from 'node:timers/promises'
import type { Checkpoint } from '../models/checkpoint.ts'
import type { Projection } from '../models/projections.ts'
import { loadTokenizer } from '../tokenizer/tokenizer.ts'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import type { FinetuneJob, JobContext, PruneJob, StepMetrics } from '../contract/index.ts'
import { makeBatches, type TrainingBatch } from '../data/batches.ts'
import { loadTrainingData } from '../data/load.ts'
import { badFile, SecateurError } from '../shared/errors.ts'
import {
  type Adapter,
  adapterFrom,
  type AdapterSettings,
  createAdapter,
  disposeMatrices,
  type LayerMatrices,
  pairsOf,
} from '../lora/adapter.ts'
import { disposeModel, loadModelInSlices } from '../models/load.ts'
import type { LlamaModel } from '../models/llama.ts'
import { Random } from '../shared/random.ts'
import type { SavedValues } from '../shared/saved-values.ts'
import { tf } from '../tensor/tf.ts'
import { type StepResult, Trainer } from '../training/trainer.ts'
import type { RunFolder } from './run-folder.ts'
import { checkSampleSettings, Sampler } from './samples.ts'
import { StageProgress } from './stage-progress.ts'

/** Disposing of it leaves nothing on the back end: of the model, its masks, the adapter and the optimiser. */
export interface TrainingRun extends Disposable {
  model: LlamaModel
  tokenizer: Tokenizer
  adapter: Adapter
  trainer: Trainer
  steps: number
  /** Steps done already, where the run is resumed. */
  done: number
  /** What else was saved with the state. */
  saved: SavedValues
}

/** Reads data and weights and makes, or restores, the adapter and the optimiser. */
export async function prepareTraining(
  job: FinetuneJob | PruneJob,
  checkpoint: Checkpoint,
  folder: RunFolder,
  { emit, signal, resume }: JobContext,
): Promise<TrainingRun> {
  checkSampleSettings(job)
  const tokenizer = await loadTokenizer(checkpoint.folder)
  const reading = new StageProgress('reading data', emit)
  const data = await loadTrainingData(job.data, {
    tokenizer,
    trainOn: job.trainOn,
    ...(job.packing === 'pack' ? {} : { maxLength: job.sequenceLength }),
    ...(job.field === undefined ? {} : { field: job.field }),
    ...(job.maxDocuments === undefined ? {} : { limit: job.maxDocuments }),
    onProgress: ({ documents }) => reading.report(documents, job.maxDocuments ?? 0),
    signal,
  })
  const batches = makeBatches(data.examples, {
    rows: job.batchSize,
    length: job.sequenceLength,
    seed: job.seed,
    mode: job.packing,
    padId: tokenizer.padId ?? tokenizer.eosId ?? 0,
  })
  const planned = job.steps ?? Math.max(1, Math.ceil((job.epochs * batches.perEpoch) / job.gradientAccumulation))
  const update = job.kind === 'finetune' || job.healing
  // What is removed at once and not healed needs no steps.
  const steps = !update && job.schedule === 'one-shot' ? 0 : planned

  const weights = new StageProgress('reading weights', emit)
  let bytes = 0
  const model = await loadModelInSlices(checkpoint, {
    int8: job.int8,
    signal,
    onProgress: (more) => weights.report((bytes += more), checkpoint.bytes),
  })
  const settings: AdapterSettings = {
    rank: job.rank,
    alpha: job.alpha,
    dropout: job.dropout,
    rankStabilised: job.rankStabilised,
    projections: job.targetModules,
  }
  const state = resume ? folder.load() : null
  const adapter = state
    ? adapterFrom(model.config, settings, (layer, projection) => ({
        a: savedValue(state.values, folder, `adapter.${layer}.${projection}.a`),
        b: savedValue(state.values, folder, `adapter.${layer}.${projection}.b`),
      }))
    : createAdapter(model.config, settings, new Random(job.seed).fork('adapter'))
  const trainer = new Trainer(model, adapter, batches, { ...job, steps, update })
  if (state) restoreMoments(trainer, state.values, folder)
  const done = state?.step ?? 0
  folder.metrics.start(done)
  // What is removed before the first step is removed again.
  folder.snapshots.start(done === 0 ? -1 : done)
  return {
    model,
    tokenizer,
    adapter,
    trainer,
    steps,
    done,
    saved: state?.values ?? new Map(),
    [Symbol.dispose]() {
      disposeModel(model)
      disposeMatrices(adapter.layers)
      trainer.dispose()
      tf.dispose((trainer.masks ?? []).flatMap(({ heads, channels }) => [heads, channels]))
    },
  }
}

export interface StepHooks {
  /** Called before the first step, after the samples of the model as it came. */
  begin?: () => Promise<void>
  /** Sees the gradients of a step before the adapter changes. */
  observe?: (step: number, gradients: LayerMatrices[], batches: readonly TrainingBatch[]) => void
  /** Called after the update. */
  after?: (step: number) => Promise<void>
  /** What the metrics say beyond the loss. */
  describe?: (step: number) => Pick<StepMetrics, 'sparsity'>
  /** What else to save. */
  state?: () => SavedValues
}

/**
 * Trains from where the run stands to its last step, saving its state on the way.
 *
 * @returns loss of the last step
 * @throws SecateurError of kind `interrupted`, with the state saved, where the signal stops the run.
 */
export async function train(
  job: FinetuneJob | PruneJob,
  run: TrainingRun,
  folder: RunFolder,
  context: JobContext,
  hooks: StepHooks = {},
): Promise<number | null> {
  try {
    return await takeSteps(job, run, folder, context, hooks)
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

async function takeSteps(
  job: FinetuneJob | PruneJob,
  run: TrainingRun,
  folder: RunFolder,
  context: JobContext,
  hooks: StepHooks,
): Promise<number | null> {
  const { trainer, steps } = run
  const { emit, signal } = context
  const save = (step: number) => {
    folder.save(step, new Map([...trainingState(trainer), ...(hooks.state?.() ?? [])]))
    emit({ type: 'saved', step })
  }
  const sampler = new Sampler(job, run, folder, context)
  await sampler.start(run.done)
  await hooks.begin?.()
  const started = performance.now()
  const pace = new Pace()
  let bad = 0
  let last: StepResult | null = null
  for (let step = run.done + 1; step <= steps; step++) {
    if (signal.aborted) {
      save(step - 1)
      throw new SecateurError(
        'interrupted',
        `stopped after step ${step - 1} of ${steps}; the state is saved in ${folder.path}: continue with --resume`,
      )
    }
    const stepStarted = performance.now()
    last = trainer.step(step, (gradients, micro) => hooks.observe?.(step, gradients, micro))
    bad = Number.isFinite(last.loss) ? 0 : bad + 1
    if (bad >= 3)
      throw new SecateurError(
        'bad-setting',
        `the loss has not been a number for three steps, up to step ${step}: take a smaller learning rate than ${job.learningRate}`,
      )
    await hooks.after?.(step)
    pace.add(last.tokens, (performance.now() - stepStarted) / 1000)
    const seconds = (performance.now() - started) / 1000
    const metrics: StepMetrics = {
      step,
      loss: Number.isFinite(last.loss) ? last.loss : null,
      learningRate: last.learningRate,
      gradientNorm: Number.isFinite(last.gradientNorm) ? last.gradientNorm : null,
      tokens: last.tokens,
      ...hooks.describe?.(step),
    }
    folder.metrics.append(metrics)
    const secondsLeft = (seconds / (step - run.done)) * (steps - step)
    emit({
      type: 'step',
      steps,
      tokensPerSecond: pace.tokensPerSecond,
      secondsLeft,
      memoryBytes: process.memoryUsage.rss(),
      metrics,
    })
    if (step % job.saveEvery === 0 || step === steps) save(step)
    await sampler.after(step)
    await setImmediate()
  }
  return last && Number.isFinite(last.loss) ? last.loss : null
}

/** Tokens a second over the last steps: the first ones, which compile graphs, are soon forgotten. */
class Pace {
  readonly #recent: { tokens: number; seconds: number }[] = []

  add(tokens: number, seconds: number): void {
    this.#recent.push({ tokens, seconds })
    if (this.#recent.length > 20) this.#recent.shift()
  }

  get tokensPerSecond(): number {
    const sum = (name: 'tokens' | 'seconds') => this.#recent.reduce((total, step) => total + step[name], 0)
    return sum('tokens') / sum('seconds')
  }
}

const sets = (trainer: Trainer) =>
  [
    ['adapter', trainer.adapter.layers],
    ['first', trainer.optimiser.first],
    ['second', trainer.optimiser.second],
  ] as const

function trainingState(trainer: Trainer): SavedValues {
  const values: SavedValues = new Map()
  for (const [name, layers] of sets(trainer))
    for (const [layer, matrices] of layers.entries())
      for (const [projection, pair] of pairsOf(matrices))
        for (const side of ['a', 'b'] as const)
          values.set(`${name}.${layer}.${projection}.${side}`, {
            shape: pair[side].shape,
            data: pair[side].dataSync() as Float32Array,
          })
  return values
}

function restoreMoments(trainer: Trainer, values: SavedValues, folder: RunFolder): void {
  for (const [name, layers] of sets(trainer).slice(1))
    for (const [layer, matrices] of layers.entries())
      for (const [projection, pair] of pairsOf(matrices))
        for (const side of ['a', 'b'] as const) {
          const shape = pair[side].shape as [number, number]
          pair[side].dispose()
          pair[side] = tf.tensor2d(savedValue(values, folder, `${name}.${layer}.${projection}.${side}`), shape)
        }
}

export function savedValue(values: SavedValues, folder: RunFolder, name: string): Float32Array {
  const value = values.get(name)
  if (!value) throw badFile(folder.path, `state: ${name}`, 'is missing: the saved state is of another run or damaged')
  return value.data
}

/** Values of an adapter on the host. */
export function adapterValues(adapter: Adapter): {
  scale: number
  layers: Partial<Record<Projection, { a: Float32Array; b: Float32Array }>>[]
} {
  return {
    scale: adapter.scale,
    layers: adapter.layers.map((matrices) =>
      Object.fromEntries(
        pairsOf(matrices).map(([projection, { a, b }]) => [
          projection,
          { a: a.dataSync() as Float32Array, b: b.dataSync() as Float32Array },
        ]),
      ),
    ),
  }
}
