import type { Checkpoint } from '../models/checkpoint.ts'
import type { StoredTensor } from '../models/model-config.ts'
import type { TrainingBatch } from '../data/batches.ts'
import type { JobContext, PruneJob } from '../contract/index.ts'
import { SecateurError } from '../shared/errors.ts'
import { disposeMatrices, type LayerMatrices } from '../lora/adapter.ts'
import type { LayerMask } from '../models/llama.ts'
import { adapterGradients } from './calibration-gradients.ts'
import type { Criterion, LayerScores, ModelView } from './criteria/criterion.ts'
import { type Compensation, Flap } from './criteria/flap.ts'
import { type GroupCriterionName, makeCriterion } from './criteria/index.ts'
import { kinds } from './groups.ts'
import { ImportanceAverage } from './importance.ts'
import { fullMasks, type GroupMasks, maskTensors, selectMasks, sparsityOf } from './masks.ts'
import { lastSelection, plannedRatio, ratioToSelect, type Schedule, scheduleOf } from './schedule.ts'
import { pruningSnapshot } from './snapshot.ts'
import type { TargetSettings } from './targets.ts'
import type { SavedValues } from '../shared/saved-values.ts'
import { tf } from '../tensor/tf.ts'
import { calibrationBatches } from '../data/calibration.ts'
import type { RunFolder } from '../runs/run-folder.ts'
import { savedValue, type StepHooks, type TrainingRun } from '../runs/training-run.ts'

/** The part of a run that is about pruning: scores at every step or when groups are chosen, masks at some steps. */
export class Pruning {
  readonly #checkpoint: Checkpoint
  readonly #job: PruneJob
  readonly #target: TargetSettings
  readonly #run: TrainingRun
  readonly #view: ModelView
  readonly #criterion: Criterion
  readonly #importance: ImportanceAverage
  readonly #schedule: Schedule
  readonly #folder: RunFolder
  readonly #context: JobContext
  masks: GroupMasks
  #tensors: LayerMask[] = []
  #calibration: Promise<TrainingBatch[]> | null = null

  constructor(
    job: PruneJob,
    target: TargetSettings,
    checkpoint: Checkpoint,
    run: TrainingRun,
    folder: RunFolder,
    context: JobContext,
  ) {
    this.#checkpoint = checkpoint
    this.#folder = folder
    this.#context = context
    this.#job = job
    this.#target = target
    this.#run = run
    const { model, adapter } = run
    const view: ModelView = {
      model,
      adapter,
      masks: () => this.#tensors,
      calibration: () => (this.#calibration ??= calibrationBatches(job, run.tokenizer, context)),
    }
    this.#view = view
    this.#criterion = makeCriterion(job.criterion as GroupCriterionName, view, job)
    this.#importance = new ImportanceAverage(
      job.lambda,
      this.#criterion.when === 'step' ? this.#criterion.gather : 'average',
    )
    this.#schedule = scheduleOf(job, run.steps, target.ratio)
    this.masks = fullMasks(run.model.config, job.headGroups)
    if (run.done > 0) this.#restore()
    this.#apply(this.masks)
  }

  /** Removes everything before the first step, where that is what is wanted. */
  async start(): Promise<void> {
    if (this.#job.schedule === 'one-shot' && this.#run.done === 0) await this.#select(0, this.#target.ratio)
  }

  /** Biases that make up for what was removed; null where there are none. */
  get compensation(): Compensation | null {
    return this.#criterion instanceof Flap && this.#target.addsBiases ? this.#criterion.compensation : null
  }

  /** The weights are the checkpoint's own. */
  readonly read = (name: string): StoredTensor => this.#checkpoint.read(name)

  readonly hooks = {
    observe: (step: number, gradients: LayerMatrices[], batches: readonly TrainingBatch[]) => {
      if (this.#criterion.when !== 'step' || this.#frozen(step)) return
      this.#importance.update(this.#criterion.score({ gradients, batches }))
    },
    after: async (step: number) => {
      const ratio = this.#frozen(step) ? null : ratioToSelect(this.#schedule, step)
      if (ratio !== null) await this.#select(step, ratio)
    },
    describe: (step: number) => ({
      sparsity: {
        planned: this.#job.schedule === 'one-shot' ? this.#target.ratio : plannedRatio(this.#schedule, step),
        heads: sparsityOf(this.#run.model.config, this.masks, 'heads', this.#target),
        channels: sparsityOf(this.#run.model.config, this.masks, 'channels', this.#target),
      },
    }),
    state: (): SavedValues => this.#state(),
  } satisfies StepHooks

  /** Whether nothing more is chosen after a step. */
  #frozen(step: number): boolean {
    return this.#job.schedule === 'one-shot' || step > lastSelection(this.#schedule)
  }

  /** Lets the least important groups leave. */
  async #select(step: number, sparsity: number): Promise<void> {
    const scores = await this.#scores()
    if (scores === null) return
    const { config } = this.#run.model
    const before = this.masks
    this.#apply(selectMasks(config, before, scores, sparsity, this.#target))
    if (this.#criterion.when === 'selection') this.#criterion.removed?.(before, this.masks)
    const snapshot = pruningSnapshot(step, sparsity, scores, this.masks)
    this.#folder.snapshots.append(snapshot)
    this.#context.emit({ type: 'pruned', snapshot })
  }

  /** What groups are chosen by; null where no step has given scores yet. */
  async #scores(): Promise<LayerScores[] | null> {
    if (this.#criterion.when === 'step') {
      // Where all leaves at once no step has been seen: gradients of calibration text stand in.
      if (this.#job.schedule === 'one-shot') await this.#observeCalibration()
      return this.#importance.layers
    }
    const scores = await this.#criterion.score(this.masks)
    if (scores.some((layer) => kinds.some((kind) => layer[kind].some(Number.isNaN))))
      throw new SecateurError('bad-file', 'the model gives scores that are not numbers; are its weights damaged?')
    return scores
  }

  async #observeCalibration(): Promise<void> {
    if (this.#criterion.when !== 'step') return
    const { model, adapter } = this.#run
    const batches = await this.#view.calibration()
    const gradients = adapterGradients(model, adapter, batches)
    this.#importance.update(this.#criterion.score({ gradients, batches }))
    disposeMatrices(gradients)
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
    const more = this.#criterion.when === 'selection' ? this.#criterion.state?.() : undefined
    return new Map([...values, ...(more ?? [])])
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
    if (this.#criterion.when === 'selection') this.#criterion.restore?.(value)
  }
}
