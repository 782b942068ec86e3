import { existsSync } from 'node:fs'
import { chooseBackend } from '../backends/choose.ts'
import { type Checkpoint, openCheckpoint, writeCheckpoint } from '../checkpoint/checkpoint.ts'
import { countParameters } from '../checkpoint/expected-tensors.ts'
import type { ModelConfig } from '../checkpoint/model-config.ts'
import type { JobContext, PruneJob, ResultEvent } from '../contract.ts'
import { badSetting } from '../errors.ts'
import { type LayerMask } from '../models/llama.ts'
import { disposeModel } from '../models/load.ts'
import { type LayerScores, loraPruneScores } from '../pruning/criteria/loraprune.ts'
import { ImportanceAverage } from '../pruning/importance.ts'
import { fullMasks, type GroupMasks, maskTensors, selectMasks, sparsityOf } from '../pruning/masks.ts'
import { plannedRatio, type Schedule } from '../pruning/schedule.ts'
import { shrunkConfig, shrunkTensors } from '../pruning/shrink.ts'
import { pruningSnapshot } from '../pruning/snapshot.ts'
import { ratioForParameters, type TargetSettings } from '../pruning/targets.ts'
import { tf } from '../tf.ts'
import { estimateJob, refuseIfTooLarge } from './estimate.ts'
import { evaluateInRun } from './evaluate.ts'
import { peakMemory } from './memory.ts'
import { inRunFolder, type RunFolder, type SavedValues } from './run-folder.ts'
import { StageProgress } from './stage-progress.ts'
import { adapterValues, prepareTraining, savedValue, train, type TrainingRun } from './training-run.ts'

/** LoRAPrune (arXiv 2305.18403): fine-tune with LoRA, score, mask step by step, merge, shrink, write, and score. */
export async function prune(job: PruneJob, context: JobContext): Promise<ResultEvent> {
  const started = performance.now()
  using checkpoint = openCheckpoint(job.checkpoint)
  const target = targetOf(job, checkpoint)
  const estimate = estimateJob(job, checkpoint, target)
  context.emit({ type: 'estimate', estimate })
  refuseIfTooLarge(estimate)
  if (job.evaluateDense && !job.evaluation) throw badSetting('evaluateDense', 'say on what: give tasks or perplexity')
  return await inRunFolder(job, context, async (folder) => {
    const { name, threads } = await chooseBackend(job)
    context.emit({ type: 'started', job, backend: name, threads })
    const dense = job.evaluateDense ? await evaluateInRun(checkpoint, job.evaluation!, 'dense', folder, context) : null
    const run = await prepareTraining(job, checkpoint, folder, context)
    const pruning = new Pruning(job, target, run, folder, context)
    const loss = await train(job, run, folder, context, pruning.hooks)
    if (!existsSync(folder.output)) await write(job, checkpoint, pruning.masks, run, folder, context)
    disposeModel(run.model)
    using pruned = openCheckpoint(folder.output)
    const scores = job.evaluation ? await evaluateInRun(pruned, job.evaluation, 'result', folder, context) : {}
    const parameters = {
      before: checkpoint.parameters,
      after: countParameters(shrunkConfig(checkpoint.config, pruning.masks)),
    }
    return {
      type: 'result',
      checkpoint: folder.output,
      parameters,
      ...scores,
      ...(dense ? { dense } : {}),
      loss,
      ...peakMemory(),
      seconds: (performance.now() - started) / 1000,
    }
  })
}

/** Which groups must go, from the ratio or from the number of parameters that is wanted. */
export function targetOf(job: PruneJob, { config, parameters }: Checkpoint): TargetSettings {
  refuseContradictions(job, config)
  // Layers that are ranked together end up with different counts.
  const settings: TargetSettings = { ...job, uniform: job.uniform && job.ranking === 'local' }
  const wanted =
    job.targetParameters ?? (job.targetFraction === undefined ? undefined : Math.floor(job.targetFraction * parameters))
  return wanted === undefined ? settings : { ...settings, ratio: ratioForParameters(config, settings, wanted) }
}

function refuseContradictions(job: PruneJob, { layers }: ModelConfig): void {
  const grouped = layers.some(({ heads, keyValueHeads }) => heads !== keyValueHeads)
  if (job.headGroups === 'key-value-heads' && layers.some(({ keyValueHeadOf }) => keyValueHeadOf))
    throw badSetting(
      'headGroups',
      'key/value heads of this checkpoint are read by different numbers of query heads: prune it by query-heads',
    )
  if (job.ranking === 'global' && job.headGroups === 'query-heads' && grouped)
    throw badSetting('ranking', 'query heads that share key/value heads are ranked within a layer: use local')
  if (job.ranking === 'global' && job.channelMultiple > 1)
    throw badSetting('channelMultiple', 'global ranking gives each layer its own count: use local, or a multiple of 1')
}

/** The part of a run that is about pruning: scores at every step, masks at some. */
class Pruning {
  readonly #job: PruneJob
  readonly #target: TargetSettings
  readonly #run: TrainingRun
  readonly #importance: ImportanceAverage
  readonly #schedule: Schedule
  readonly #folder: RunFolder
  readonly #context: JobContext
  masks: GroupMasks
  #tensors: LayerMask[] = []

  constructor(job: PruneJob, target: TargetSettings, run: TrainingRun, folder: RunFolder, context: JobContext) {
    this.#folder = folder
    this.#context = context
    this.#job = job
    this.#target = target
    this.#run = run
    this.#importance = new ImportanceAverage(job.lambda)
    this.#schedule = {
      steps: run.steps,
      warmUp: job.pruneWarmUp,
      coolDown: job.pruneCoolDown,
      initialRatio: 0,
      finalRatio: target.ratio,
      frequency: job.frequency,
    }
    this.masks = fullMasks(run.model.config, job.headGroups)
    if (run.done > 0) this.#restore()
    this.#apply(this.masks)
  }

  readonly hooks = {
    observe: (_step: number, gradients: Parameters<typeof loraPruneScores>[2]) => {
      if (this.#frozen(_step)) return
      this.#importance.update(loraPruneScores(this.#run.model, this.#run.adapter, gradients, this.#job))
    },
    after: (step: number) => {
      const planned = this.#planned(step)
      if (planned === null || this.#importance.layers === null) return
      const masks = selectMasks(this.#run.model.config, this.masks, this.#importance.layers, planned, this.#target)
      this.#apply(masks)
      const snapshot = pruningSnapshot(step, planned, this.#importance.layers, masks)
      this.#folder.snapshots.append(snapshot)
      this.#context.emit({ type: 'pruned', snapshot })
    },
    describe: (step: number) => ({
      sparsity: {
        planned: plannedRatio(this.#schedule, step),
        heads: sparsityOf(this.#run.model.config, this.masks, 'heads', this.#target),
        channels: sparsityOf(this.#run.model.config, this.masks, 'channels', this.#target),
      },
    }),
    state: (): SavedValues => this.#state(),
  }

  /** First step of the cool-down: the last selection is made there, at exactly the target. */
  get #lastSelection(): number {
    const { steps, coolDown } = this.#schedule
    return Math.min(steps, Math.floor(steps - coolDown * steps) + 1)
  }

  #frozen(step: number): boolean {
    return step > this.#lastSelection
  }

  /** Sparsity to select at after a step, or null where the masks stay as they are. */
  #planned(step: number): number | null {
    if (step === this.#lastSelection) return this.#target.ratio
    if (step > this.#lastSelection || step % this.#schedule.frequency !== 0) return null
    const planned = plannedRatio(this.#schedule, step)
    return planned > 0 ? planned : null
  }

  #apply(masks: GroupMasks): void {
    for (const { heads, channels } of this.#tensors) tf.dispose([heads, channels])
    this.masks = masks
    this.#tensors = maskTensors(this.#run.model.config, masks)
    this.#run.trainer.masks = this.#tensors
  }

  #state(): SavedValues {
    const values: SavedValues = new Map()
    const put = (name: string, data: Float32Array) => values.set(name, { shape: [data.length], data })
    for (const [layer, { heads, channels }] of this.masks.entries()) {
      put(`mask.${layer}.heads`, Float32Array.from(heads))
      put(`mask.${layer}.channels`, Float32Array.from(channels))
    }
    for (const [layer, { heads, channels }] of (this.#importance.layers ?? []).entries()) {
      put(`importance.${layer}.heads`, heads)
      put(`importance.${layer}.channels`, channels)
    }
    return values
  }

  #restore(): void {
    const { saved, model } = this.#run
    const value = (name: string) => savedValue(saved, this.#folder, name)
    this.masks = model.layers.map((_, layer) => ({
      heads: Uint8Array.from(value(`mask.${layer}.heads`)),
      channels: Uint8Array.from(value(`mask.${layer}.channels`)),
    }))
    if (saved.has('importance.0.heads'))
      this.#importance.layers = model.layers.map((_, layer): LayerScores => ({
        heads: value(`importance.${layer}.heads`),
        channels: value(`importance.${layer}.channels`),
      }))
  }
}

async function write(
  job: PruneJob,
  checkpoint: Checkpoint,
  masks: GroupMasks,
  { adapter }: TrainingRun,
  folder: RunFolder,
  { emit, signal }: JobContext,
): Promise<void> {
  const dtype = job.dtype === 'same' ? checkpoint.dtype : job.dtype
  const config = shrunkConfig(checkpoint.config, masks)
  const tensors = shrunkTensors(
    checkpoint.config,
    (name) => checkpoint.read(name),
    masks,
    adapterValues(adapter),
    dtype,
  )
  const writing = new StageProgress('writing', emit)
  await writeCheckpoint(folder.output, {
    config,
    dtype,
    tensors,
    tokenizerFrom: checkpoint.folder,
    signal,
    onProgress: (done, total) => writing.report(done, total),
  })
}
