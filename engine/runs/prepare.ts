import type { FinetuneJob, JobContext, PruneJob, RowCounts, StepMetrics, Trainable } from '../contract/index.ts'
import type { TrainingBatch } from '../data/batches.ts'
import {
  type Adapter,
  adapterFrom,
  type AdapterSettings,
  createAdapter,
  disposeMatrices,
  type PairValues,
  trainedMatrices,
  trainedNumbers,
} from '../lora/adapter.ts'
import { awaitingClassifier, newClassifier, parametersBeside, storedClassifier } from '../lora/classifier.ts'
import { trainableOf } from '../lora/trainable.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { isOfImages } from '../models/encoder-config.ts'
import type { Model } from '../models/family.ts'
import { linearOf } from '../models/tensors.ts'
import { Random } from '../shared/random.ts'
import type { RestoredValues } from '../shared/saved-values.ts'
import { checkScorableAtOnce, checkTeachable } from '../training/job-for-model.ts'
import { Trainer } from '../training/trainer.ts'
import { readImageData } from './image-data.ts'
import { loadWeights } from './load-weights.ts'
import type { RunFolder } from './run-folder.ts'
import { teacherOf } from './teacher.ts'
import { restoredValues, restoreMoments } from './state.ts'
import type { TextTools } from './samples.ts'
import { readTextData, type RunData, type ValidationData } from './training-data.ts'

/** Disposing of it leaves nothing of the model, the adapter and the optimiser on the back end. */
export interface TrainingRun extends Disposable {
  /** Its config has the classes that are trained. */
  model: Model
  /** What samples are made with; null where the model looks at images. */
  text: TextTools | null
  adapter: Adapter
  trainer: Trainer
  /** What became of the rows of the data. */
  rows: RowCounts
  /** What the loss is measured on beside the training; null where nothing is. */
  validation: ValidationData | null
  /** Rows that criteria look at before groups are chosen. */
  calibration: () => Promise<TrainingBatch[]>
  trainable: Trainable
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
  using made = new DisposableStack()
  let weights: Promise<Model> | undefined
  const dense = () => (weights ??= loadWeights(checkpoint, { emit, signal }, made, job.int8))
  const data = made.use(
    isOfImages(checkpoint.config)
      ? await readImageData(job, checkpoint, { emit, signal })
      : await readTextData(job, checkpoint, { emit, signal }, { folder: folder.path, model: dense }),
  )
  const { batches, classes } = data
  const hasNewClassifier = classes !== null && classes.newFor !== null
  checkScorableAtOnce(job, hasNewClassifier)
  checkTeachable(job, hasNewClassifier)
  const planned = job.steps ?? Math.max(1, Math.ceil((job.epochs * batches.perEpoch) / job.gradientAccumulation))
  const update = job.kind === 'finetune' || job.healing
  // What is removed at once and not healed needs no steps.
  const steps = !update && job.schedule === 'one-shot' ? 0 : planned

  const loaded = await dense()
  const model = classes?.newFor ? awaitingClassifier(loaded, classes.labels) : loaded
  const settings: AdapterSettings = {
    rank: job.rank,
    alpha: job.alpha,
    dropout: job.dropout,
    rankStabilised: job.rankStabilised,
    targetModules: job.targetModules,
  }
  const state = resume ? folder.load() : null
  const saved = state && restoredValues(state.values, folder.path)
  const classifier = classifierOf(job, data, checkpoint)
  const adapter = saved
    ? adapterFrom(
        model.config,
        settings,
        (layer, name) => {
          const { inputs, outputs } = linearOf(model.config, layer, name)
          return {
            a: saved.value(`adapter.${layer}.${name}.a`, job.rank * inputs),
            b: saved.value(`adapter.${layer}.${name}.b`, outputs * job.rank),
          }
        },
        classifier && {
          a: saved.value(`adapter.${model.config.layers.length}.classifier.a`, classifier.a.length),
          b: saved.value(`adapter.${model.config.layers.length}.classifier.b`, classifier.b.length),
        },
      )
    : createAdapter(model.config, settings, new Random(job.seed).fork('adapter'), classifier)
  const teacher = await teacherOf(job, checkpoint, { model, dense: loaded }, made, { emit, signal, resume })
  const trainer = new Trainer(model, adapter, batches, { ...job, steps, update, teacher })
  made.defer(() => disposeMatrices(trainedMatrices(adapter)))
  made.defer(() => trainer.dispose())
  if (saved) restoreMoments(trainer, saved)
  const done = state?.step ?? 0
  const warn = (message: string) => emit({ type: 'warning', message })
  let lastLine: StepMetrics | null = null
  folder.metrics.start(done, warn, (line) => (lastLine = line))
  // What is removed before the first step is removed again.
  folder.snapshots.start(done === 0 ? -1 : done, warn)
  const { text, rows, validation, calibration } = data
  const owned = made.move()
  return {
    model,
    text,
    adapter,
    trainer,
    rows,
    validation,
    calibration,
    trainable: trainableOf(trainedNumbers(adapter), parametersBeside(checkpoint, model.config)),
    steps,
    done,
    lastLine,
    saved,
    [Symbol.dispose]: () => owned.dispose(),
  }
}

/** A classifier that is trained beside the adapter, as it is before the first step; null where none is. */
function classifierOf(job: FinetuneJob | PruneJob, { classes }: RunData, checkpoint: Checkpoint): PairValues | null {
  const { config } = checkpoint
  if (classes?.newFor) return newClassifier(classes.labels.length, config.hiddenSize)
  return classes && job.trainClassifier ? storedClassifier(config, (name) => checkpoint.read(name)) : null
}
