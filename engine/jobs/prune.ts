import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { chooseBackend } from '../backends/choose.ts'
import { layerTimesSchema, timesForBudget } from '../pruning/budget/layer-times.ts'
import type { JobContext, PruneJob, ResultEvent, RowCounts, Trainable, Validation } from '../contract/index.ts'
import type { TrainingBatch } from '../data/batches.ts'
import { announce } from '../estimate/announce.ts'
import { announceWork } from '../estimate/phase-work.ts'
import { fitPreprocessing } from '../data/images/write-preprocessing.ts'
import { refuseBadFiles } from '../estimate/check-data.ts'
import { withTrainedClasses } from '../estimate/image-files.ts'
import { calibrationFiles, evaluationFiles, fileGroupsOf } from '../estimate/file-groups.ts'
import { peakMemory } from '../estimate/memory.ts'
import { type BaseModel, baseModelOf, cardName, copyLicenses } from '../export/card/base-model.ts'
import { modelCard, writeCard } from '../export/card/model-card.ts'
import { prunedCard } from '../export/card/pruned.ts'
import { compatibilityOf } from '../export/compatibility.ts'
import { finishedRunner, refuseUnrunnable } from '../llama-cpp/finished-runner.ts'
import type { AdapterValues } from '../lora/adapter.ts'
import { readerOf8Bits } from '../lora/merge.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import { isOfImages } from '../models/encoder-config.ts'
import { writeCheckpoint } from '../models/write-checkpoint.ts'
import { targetOf } from '../pruning/job-target.ts'
import { withLayout } from '../pruning/layout.ts'
import { headCountWarnings } from '../pruning/planned.ts'
import { GroupPruning, type GroupPruningSettings, type Pruning } from '../pruning/prune.ts'
import { densityOf, SingleWeightPruning, type SingleWeightSettings } from '../pruning/single-weights.ts'
import { removalOf } from '../pruning/removal.ts'
import { layersAfter, type TargetSettings } from '../pruning/targets.ts'
import { pruningWarnings } from '../pruning/warnings.ts'
import { besideInRun } from '../runs/beside-dense.ts'
import { evaluateInRun, takeDense } from '../runs/evaluation.ts'
import { replacedBy } from '../runs/output-files.ts'
import { prepareTraining } from '../runs/prepare.ts'
import { record } from '../runs/record.ts'
import { startedJob } from '../runs/run-files.ts'
import { startedOf } from '../runs/started.ts'
import { inRunFolder, type RunFolder } from '../runs/run-folder.ts'
import { StageProgress } from '../runs/stage-progress.ts'
import { badSetting } from '../shared/errors.ts'
import { readJson, writeFileAtomically, writeJson } from '../shared/files.ts'
import { forModel } from '../training/job-for-model.ts'

/**
 * Pruning as LoRAPrune does it (arXiv 2305.18403), by any criterion: fine-tune with LoRA, score, mask step by step or at
 * once, merge, shrink, write, and score the result.
 */
export async function prune(given: PruneJob, context: JobContext): Promise<ResultEvent> {
  const started = performance.now()
  using checkpoint = openCheckpoint(given.checkpoint, given.imageSize)
  const job = forModel(withLayout(given, checkpoint.config, startedJob(given.out, context)), checkpoint.config)
  const times = await timesOfRun(job, checkpoint, context)
  const announced = targetOf(job, checkpoint, times)
  const choice = await chooseBackend(job)
  await refuseUnrunnable(job, checkpoint, choice)
  await announce(job, checkpoint, context.emit, announced)
  const { config } = checkpoint
  const base = baseModelOf(checkpoint.folder, config.source)
  const warnings = [
    ...pruningWarnings(forModel(given, config), config, announced),
    ...headCountWarnings(given, config, announced),
  ]
  for (const message of warnings) context.emit({ type: 'warning', message })
  if (job.evaluateDense && !job.evaluation) throw badSetting('evaluateDense', 'say on what: give tasks or perplexity')
  // Training data is read next, unless scoring the dense checkpoint comes first.
  const later = [...calibrationFiles(job), ...evaluationFiles(job)]
  const scored = await refuseBadFiles(job.evaluateDense ? fileGroupsOf(job) : later, context)
  // Its classes are known once the images are found.
  const whole = await withTrainedClasses(job, checkpoint, context.signal)
  const target = whole === checkpoint ? announced : targetOf(job, whole, times)
  const finished = finishedRunner(job, choice)
  const replaces = replacedBy(job)
  return await inRunFolder(job, context, async (folder) => {
    if (times) writeJson(join(folder.path, timesFile), times)
    context.emit(startedOf(job, choice))
    await announceWork(job, checkpoint, layersAfter(config, target), context, scored)
    if (job.evaluateDense) context.emit({ type: 'phase', phase: 'scoring dense' })
    if (job.evaluateDense && context.dense !== undefined) takeDense(context.dense, folder)
    const dense = job.evaluateDense
      ? await evaluateInRun(checkpoint, job.evaluation!, 'dense', folder, context, { finished })
      : null
    const recorded = await trainAndWrite(job, target, checkpoint, base, folder, context)
    const { loss, validation, rows, steps, trainable, density: before } = recorded
    using pruned = openCheckpoint(folder.output)
    if (job.evaluation) context.emit({ type: 'phase', phase: 'scoring' })
    const density =
      before === null ? null : { before, after: densityOf(pruned.config, (tensor) => pruned.read(tensor)) }
    const scores = job.evaluation
      ? await evaluateInRun(pruned, job.evaluation, 'result', folder, context, { finished, replaces })
      : null
    if (dense && scores) context.emit({ type: 'phase', phase: 'comparing' })
    const beside =
      dense && scores ? await besideInRun({ checkpoint: pruned }, checkpoint, job.evaluation!, folder, context) : null
    const parameters = { before: whole.parameters, after: pruned.parameters }
    if (job.evaluation) {
      const card = prunedCard(job, base, { checkpoint, config: pruned.config, steps, scores, dense })
      writeFileAtomically(join(folder.output, cardName), modelCard(card))
    }
    return {
      type: 'result',
      checkpoint: folder.output,
      parameters,
      trainable,
      ...(target.removes !== 'weights' && {
        removal: removalOf(whole.config, target, { ...pruned.config, parameters: pruned.parameters }),
      }),
      compatibility: compatibilityOf(pruned.config),
      ...scores,
      ...(dense ? { dense } : {}),
      ...(beside && { besideDense: beside }),
      ...(density ? { density } : {}),
      data: rows,
      ...(validation && { validation }),
      loss,
      ...peakMemory(),
      seconds: folder.attempts.secondsSince(started),
    }
  })
}

/** What layers took when a run with a budget of time was started: a run that is resumed chooses by the same. */
const timesFile = 'layer-times.json'

async function timesOfRun(job: PruneJob, checkpoint: Checkpoint, { emit, signal, resume }: JobContext) {
  const kept = join(job.out, timesFile)
  if (resume && existsSync(kept)) return readJson(kept, layerTimesSchema)
  const measuring = new StageProgress('measuring speed', emit)
  return await timesForBudget(job, checkpoint, { signal, progress: (done, total) => measuring.report(done, total) })
}

/** What training and pruning came to. */
interface Trained {
  /** Of the last step. */
  loss: number | null
  validation: Validation | null
  /** What became of the rows of the data. */
  rows: RowCounts
  steps: number
  trainable: Trainable
  /** Fraction of weights that were not zero before the merge, where single weights leave. */
  density: number | null
}

/**
 * Trains, prunes and writes the smaller checkpoint. Everything that training holds is released before the result is scored.
 *
 * @param base what the model card says of the checkpoint
 */
async function trainAndWrite(
  job: PruneJob,
  target: TargetSettings,
  checkpoint: Checkpoint,
  base: BaseModel,
  folder: RunFolder,
  context: JobContext,
): Promise<Trained> {
  context.emit({ type: 'phase', phase: 'reading' })
  using run = await prepareTraining(job, checkpoint, folder, context)
  context.emit({ type: 'phase', phase: 'training' })
  let drawn: Promise<TrainingBatch[]> | null = null
  const calibration = () => (drawn ??= run.calibration())
  const read = (name: string) => checkpoint.read(name)
  using pruning: Pruning =
    target.removes === 'weights'
      ? new SingleWeightPruning(run.model, job as SingleWeightSettings, calibration, read)
      : new GroupPruning(job as GroupPruningSettings, target, run, calibration, read)
  if (run.saved && run.done > 0) pruning.restore(run.saved)
  const { loss, adapter, validation } = await record(job, run, folder, context, {
    events: pruning.run(run.trainer, run.done),
    masks: () => pruning.maskTensors,
    prepare: async () => await pruning.prepare?.(),
    state: () => pruning.state(),
    mayBeWritten: (step) => pruning.isFinal(step),
  })
  if (!existsSync(folder.output)) await write(job, checkpoint, base, pruning, adapter, run.steps, folder, context)
  return {
    loss,
    validation,
    rows: run.rows,
    steps: run.steps,
    trainable: run.trainable,
    density: target.removes === 'weights' ? densityOf(checkpoint.config, pruning.read) : null,
  }
}

/** Without 8 bits the weights that were trained are the checkpoint's own. */
const mergesIntoTrained = ({ int8, mergeInto }: PruneJob) => int8 && mergeInto === 'trained'

async function write(
  job: PruneJob,
  checkpoint: Checkpoint,
  base: BaseModel,
  pruning: Pruning,
  adapter: AdapterValues,
  steps: number,
  folder: RunFolder,
  { emit, signal }: JobContext,
): Promise<void> {
  emit({ type: 'phase', phase: 'writing' })
  const dtype = job.outputDtype === 'same' ? checkpoint.dtype : job.outputDtype
  const { config, tensors } = pruning.result(adapter, mergesIntoTrained(job) ? readerOf8Bits : undefined)
  const writing = new StageProgress('writing', emit)
  await writeCheckpoint(folder.output, {
    config,
    dtype,
    tensors: tensors(),
    tokenizerFrom: checkpoint.folder,
    ifTooLarge:
      'give the same command with --resume and --output-dtype bfloat16 or float32; nothing is trained again, only written',
    beside: (temporary) => {
      if (isOfImages(config)) fitPreprocessing(temporary, config.imageSize)
      copyLicenses(checkpoint.folder, base, temporary)
      writeCard(temporary, prunedCard(job, base, { checkpoint, config, steps, scores: null, dense: null }))
    },
    signal,
    onProgress: (done, total) => writing.report(done, total),
  })
}
