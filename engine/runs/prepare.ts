import type { FinetuneJob, JobContext, PruneJob, RowCounts, StepMetrics } from '../contract/index.ts'
import { type Adapter, adapterFrom, type AdapterSettings, createAdapter, disposeMatrices } from '../lora/adapter.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import type { Model } from '../models/family.ts'
import { disposeModel, loadModelInSlices } from '../models/load.ts'
import { openTokenizer } from '../models/model-tokenizer.ts'
import { linearOf } from '../models/tensors.ts'
import { stopIdsOf } from '../models/stop-ids.ts'
import { Random } from '../shared/random.ts'
import type { RestoredValues } from '../shared/saved-values.ts'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import { Trainer } from '../training/trainer.ts'
import type { RunFolder } from './run-folder.ts'
import { checkSampleSettings } from './samples.ts'
import { StageProgress } from './stage-progress.ts'
import { restoredValues, restoreMoments } from './state.ts'
import { readRunData, type ValidationData } from './training-data.ts'

/** Disposing of it leaves nothing of the model, the adapter and the optimiser on the back end. */
export interface TrainingRun extends Disposable {
  model: Model
  tokenizer: Tokenizer
  /** Token ids at which its samples end; empty where it takes none. */
  stopIds: readonly number[]
  adapter: Adapter
  trainer: Trainer
  /** What became of the rows of the data. */
  rows: RowCounts
  /** What the loss is measured on beside the training; null where nothing is. */
  validation: ValidationData | null
  /** Numbers of the rows of the training data that are held out for that, counted from 1. */
  heldOut: ReadonlySet<number>
  /** Optimiser steps of the whole run. */
  steps: number
  /** Steps taken already, where the run is resumed. */
  done: number
  /** What was written of the last of them; null where there is none. */
  lastLine: StepMetrics | null
  /** What was saved after them; null where the run is new. */
  saved: RestoredValues | null
}

/** Reads data and weights and makes, or restores, the adapter and the optimiser. */
export async function prepareTraining(
  job: FinetuneJob | PruneJob,
  checkpoint: Checkpoint,
  folder: RunFolder,
  { emit, signal, resume }: JobContext,
): Promise<TrainingRun> {
  const tokenizer = await openTokenizer(checkpoint)
  checkSampleSettings(job, tokenizer, checkpoint.config.maxPositions)
  const stopIds = job.sampleEvery > 0 ? stopIdsOf(checkpoint) : []
  const { batches, rows, validation, heldOut } = await readRunData(job, tokenizer, { emit, signal })
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
    targetModules: job.targetModules,
  }
  const state = resume ? folder.load() : null
  const saved = state && restoredValues(state.values, folder.path)
  const adapter = saved
    ? adapterFrom(model.config, settings, (layer, name) => {
        const { inputs, outputs } = linearOf(model.config, layer, name)
        return {
          a: saved.value(`adapter.${layer}.${name}.a`, job.rank * inputs),
          b: saved.value(`adapter.${layer}.${name}.b`, outputs * job.rank),
        }
      })
    : createAdapter(model.config, settings, new Random(job.seed).fork('adapter'))
  const trainer = new Trainer(model, adapter, batches, { ...job, steps, update })
  if (saved) restoreMoments(trainer, saved)
  const done = state?.step ?? 0
  const warn = (message: string) => emit({ type: 'warning', message })
  let lastLine: StepMetrics | null = null
  folder.metrics.start(done, warn, (line) => (lastLine = line))
  // What is removed before the first step is removed again.
  folder.snapshots.start(done === 0 ? -1 : done, warn)
  return {
    model,
    tokenizer,
    stopIds,
    adapter,
    trainer,
    rows,
    validation,
    heldOut,
    steps,
    done,
    lastLine,
    saved,
    [Symbol.dispose]() {
      disposeModel(model)
      disposeMatrices(adapter.layers)
      trainer.dispose()
    },
  }
}
