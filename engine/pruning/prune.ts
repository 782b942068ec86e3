import type { GroupCriterionName, PruningSnapshot } from '../contract/index.ts'
import type { TrainingBatch } from '../data/batches.ts'
import { type Adapter, type AdapterValues, disposeMatrices } from '../lora/adapter.ts'
import { mergedReader, type ReadTensor } from '../lora/merge.ts'
import { kinds, type LayerMask, type Model } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { countParameters } from '../models/tensors.ts'
import { SecateurError } from '../shared/errors.ts'
import type { RestoredValues, SavedValues } from '../shared/saved-values.ts'
import type { StoredTensor } from '../tensor/stored-tensor.ts'
import type { StepEvent } from '../training/loop.ts'
import type { Trainer } from '../training/trainer.ts'
import type { Criterion } from './criteria/criterion.ts'
import { type CriterionSettings, makeCriterion } from './criteria/index.ts'
import { ImportanceAverage } from './importance.ts'
import { KeptScores, savedLayers } from './kept-scores.ts'
import { fullMasks, type GroupMasks, Masks, selectMasks, sparsityOf } from './masks.ts'
import { plannedParameters, removableParameters, type RemovableParameters } from './removal.ts'
import {
  lastSelection,
  plannedRatio,
  ratioToSelect,
  type Schedule,
  scheduleOf,
  type ScheduleSettings,
} from './schedule.ts'
import type { LayerScores } from './scores.ts'
import { shrunkConfig, shrunkTensors } from './shrink.ts'
import { pruningSnapshot } from './snapshot.ts'
import { adapterGradients } from './statistics/calibration-gradients.ts'
import type { TargetSettings } from './targets.ts'

/** Groups have left: what every group scored, and which of them stay. */
export interface PrunedEvent {
  type: 'pruned'
  snapshot: PruningSnapshot
}

/** How the weights are read that an adapter is merged into: as they are where nothing else is given. */
export type Base = (config: ModelConfig, read: ReadTensor) => ReadTensor

/** A way to prune while an adapter trains: of groups, or of single weights. */
export interface Pruning extends Disposable {
  /** Trains and prunes from the step after `from` to the trainer's last; yields what happened. */
  run(trainer: Trainer, from: number): AsyncGenerator<StepEvent | PrunedEvent>
  /** What the forward pass applies at present. */
  readonly maskTensors: LayerMask[] | undefined
  /** Puts the model of a resumed run into the state that it had; left out: it follows from what is restored. */
  prepare?(): Promise<void>
  /** Whether nothing is removed any more after a step. */
  isFinal(step: number): boolean
  /** What a resumed run must find again, beside the trainer's state. */
  state(): SavedValues
  restore(saved: RestoredValues): void
  /** The checkpoint's tensors as pruning left them before the merge: of groups, unchanged. */
  readonly read: ReadTensor
  /** The smaller model, with the adapter merged into it, in whatever type; tensors are made one at a time. */
  result(adapter: AdapterValues, base?: Base): { config: ModelConfig; tensors: () => Iterable<StoredTensor> }
}

export interface GroupPruningSettings extends CriterionSettings, ScheduleSettings {
  criterion: GroupCriterionName
  /** Remove step by step while training, or all at once before the first step. */
  schedule: 'iterative' | 'one-shot'
  /** Moving average of importance. */
  lambda: number
}

/** LoRAPrune (arXiv 2305.18403, algorithm 1), by any criterion that scores groups. */
export class GroupPruning implements Pruning {
  readonly #settings: GroupPruningSettings
  readonly #target: TargetSettings
  readonly #model: Model
  readonly #adapter: Adapter
  readonly #calibration: () => Promise<TrainingBatch[]>
  readonly #criterion: Criterion
  readonly #importance: ImportanceAverage
  readonly #schedule: Schedule
  readonly #masks: Masks
  readonly #kept: KeptScores
  /** Fraction of the parameters that the masks hide; null where it must be counted anew. */
  #hidden: number | null = null
  #removable: RemovableParameters | null = null
  readonly read: ReadTensor

  /**
   * @param target what must be gone in the end
   * @param steps of the whole run
   * @param calibration rows of text that criteria may look at
   * @param read reads a tensor of the checkpoint
   */
  constructor(
    settings: GroupPruningSettings,
    target: TargetSettings,
    { model, adapter, steps }: { model: Model; adapter: Adapter; steps: number },
    calibration: () => Promise<TrainingBatch[]>,
    read: ReadTensor,
  ) {
    this.#settings = settings
    this.#target = target
    this.#model = model
    this.#adapter = adapter
    this.#calibration = calibration
    this.read = read
    this.#masks = new Masks(model.config, fullMasks(model.config, target.headGroups))
    this.#kept = new KeptScores(this.#masks.groups)
    const view = { model, adapter, masks: () => this.#masks.tensors, calibration }
    this.#criterion = makeCriterion(settings.criterion, view, settings)
    this.#importance = new ImportanceAverage(
      settings.lambda,
      this.#criterion.when === 'step' ? this.#criterion.gather : 'average',
    )
    this.#schedule = scheduleOf(settings, steps, target.ratio)
  }

  async *run(trainer: Trainer, from: number): AsyncGenerator<StepEvent | PrunedEvent> {
    const criterion = this.#criterion
    if (this.#isOneShot && from === 0) yield* this.#select(0, this.#target.ratio)
    for (let step = from + 1; step <= trainer.settings.steps; step++) {
      const isFrozen = this.#isOneShot || step > lastSelection(this.#schedule)
      const found = trainer.gradients(step, this.#masks.tensors, this.#hiddenPart === 0)
      if (criterion.when === 'step' && !isFrozen) this.#importance.update(criterion.score(found))
      const result = trainer.update(step, found)
      const ratio = isFrozen ? null : ratioToSelect(this.#schedule, step)
      if (ratio !== null) yield* this.#select(step, ratio)
      yield { type: 'step', step, ...result, sparsity: this.#sparsity(step) }
    }
  }

  result(adapter: AdapterValues, base: Base = (_, read) => read) {
    const { config } = this.#model
    const masks = this.#masks.groups
    const compensation = this.#target.addsBiases ? (this.#criterion.compensation ?? null) : null
    const merged = mergedReader(config, base(config, this.read), adapter)
    return {
      config: shrunkConfig(config, masks, compensation !== null),
      tensors: () => shrunkTensors(config, merged, masks, compensation),
    }
  }

  /** Lets the least important groups leave, so that a fraction of them is gone. */
  async *#select(step: number, ratio: number): AsyncGenerator<PrunedEvent> {
    const scores = await this.#scores()
    if (scores === null) return
    const before = this.#masks.groups
    this.#kept.choose(step, scores, before)
    this.#setMasks(selectMasks(this.#model.config, before, scores, ratio, this.#target))
    if (this.#criterion.when === 'selection') this.#criterion.removed?.(before, this.#masks.groups)
    yield { type: 'pruned', snapshot: pruningSnapshot(step, ratio, scores, this.#masks.groups) }
  }

  /** What groups are chosen by; null where no step has given scores yet. */
  async #scores(): Promise<LayerScores[] | null> {
    if (this.#criterion.when === 'step') {
      // Where all leaves at once no step has been taken: gradients on calibration text stand in.
      if (this.#isOneShot) await this.#scoreCalibration()
      return this.#importance.layers
    }
    const scores = await this.#criterion.score(this.#masks.groups)
    if (scores.some((layer) => kinds.some((kind) => layer[kind].some(Number.isNaN))))
      throw new SecateurError('bad-file', 'the model gives scores that are not numbers; are its weights damaged?')
    return scores
  }

  async #scoreCalibration(): Promise<void> {
    if (this.#criterion.when !== 'step') return
    const batches = await this.#calibration()
    const gradients = adapterGradients(this.#model, this.#adapter, batches)
    this.#importance.update(this.#criterion.score({ gradients, batches }))
    disposeMatrices(gradients)
  }

  isFinal(step: number): boolean {
    return this.#isOneShot || step >= lastSelection(this.#schedule)
  }

  get #isOneShot(): boolean {
    return this.#settings.schedule === 'one-shot'
  }

  #sparsity(step: number) {
    const actual = (kind: (typeof kinds)[number]) =>
      sparsityOf(this.#model.config, this.#masks.groups, kind, this.#target)
    const planned = this.#isOneShot ? this.#target.ratio : plannedRatio(this.#schedule, step)
    const parameters = {
      planned: plannedParameters((this.#removable ??= removableParameters(this.#model.config, this.#target)), planned),
      actual: this.#hiddenPart,
    }
    return { planned, heads: actual('heads'), channels: actual('channels'), parameters }
  }

  get #hiddenPart(): number {
    return (this.#hidden ??= this.#countHidden())
  }

  #countHidden(): number {
    const { config } = this.#model
    return 1 - countParameters(shrunkConfig(config, this.#masks.groups)) / countParameters(config)
  }

  #setMasks(groups: GroupMasks): void {
    this.#masks.set(groups)
    this.#hidden = null
  }

  get maskTensors(): LayerMask[] {
    return this.#masks.tensors
  }

  state(): SavedValues {
    const more = this.#criterion.when === 'selection' ? this.#criterion.state?.() : undefined
    return new Map([
      ...savedLayers('mask', this.#masks.groups),
      ...savedLayers('importance', this.#importance.layers ?? []),
      ...this.#kept.state(),
      ...(more ?? []),
    ])
  }

  restore(saved: RestoredValues): void {
    const layers = <Values>(name: string, make: (data: Float32Array) => Values) =>
      this.#masks.groups.map(({ heads, channels }, layer) => ({
        heads: make(saved.value(`${name}.${layer}.heads`, heads.length)),
        channels: make(saved.value(`${name}.${layer}.channels`, channels.length)),
      }))
    this.#setMasks(layers('mask', (data) => Uint8Array.from(data)))
    if (saved.has('importance.0.heads')) this.#importance.layers = layers('importance', (data) => data)
    this.#kept.restore(saved)
    if (this.#criterion.when === 'selection') this.#criterion.restore?.(saved)
  }

  [Symbol.dispose](): void {
    this.#masks[Symbol.dispose]()
  }
}
