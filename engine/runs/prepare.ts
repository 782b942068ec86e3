import type { FinetuneJob, JobContext, PruneJob, RowCounts } from '../contract/index.ts'
import { makeBatches } from '../data/batches.ts'
import { loadTrainingData } from '../data/load.ts'
import { countsOf, lostShare } from '../data/lost-rows.ts'
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
  /** Optimiser steps of the whole run. */
  steps: number
  /** Steps taken already, where the run is resumed. */
  done: number
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
  const reading = new StageProgress('reading data', emit)
  const data = await loadTrainingData(job.data, {
    tokenizer,
    trainOn: job.trainOn,
    badRows: job.badRows,
    maxLostRows: job.maxLostRows,
    ...(job.packing === 'pack' ? {} : { maxLength: job.sequenceLength }),
    ...(job.field === undefined ? {} : { field: job.field }),
    ...(job.maxDocuments === undefined ? {} : { limit: job.maxDocuments }),
    onProgress: ({ documents }) => reading.report(documents, job.maxDocuments ?? 0),
    signal,
  })
  emit({ type: 'data', rows: countsOf(data) })
  // Blank lines of a text are as they should be; everything else that is lost is worth a warning.
  if (data.loss !== null) {
    const isExpected = data.cut === 0 && lostShare(data) === 0
    emit(isExpected ? { type: 'log', level: 'info', message: data.loss } : { type: 'warning', message: data.loss })
  }
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
  folder.metrics.start(done, warn)
  // What is removed before the first step is removed again.
  folder.snapshots.start(done === 0 ? -1 : done, warn)
  return {
    model,
    tokenizer,
    stopIds,
    adapter,
    trainer,
    rows: countsOf(data),
    steps,
    done,
    saved,
    [Symbol.dispose]() {
      disposeModel(model)
      disposeMatrices(adapter.layers)
      trainer.dispose()
    },
  }
}
