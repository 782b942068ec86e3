import type { TrainingBatch } from '../../data/batches.ts'
import type { Adapter, LayerMatrices } from '../../lora/adapter.ts'
import type { LayerMask, LinearName, Model } from '../../models/family.ts'
import type { RestoredValues, SavedValues } from '../../shared/saved-values.ts'
import type { GroupMasks } from '../masks.ts'
import type { LayerScores } from '../scores.ts'

/** What a criterion may look at. */
export interface ModelView {
  model: Model
  adapter: Adapter
  /** The masks that the model is used with at present. */
  masks: () => readonly LayerMask[] | undefined
  /** Rows of calibration text. */
  calibration: () => Promise<TrainingBatch[]>
}

/** What a step shows before the adapter changes. */
export interface StepView {
  /** Of the adapter, clipped and summed over micro-batches. */
  gradients: LayerMatrices[]
  /** The step's micro-batches. */
  batches: readonly TrainingBatch[]
}

/** What is added to the biases of a layer's linear layers [outputs] for what no longer reaches them. */
export type Compensation = Partial<Record<LinearName, Float32Array>>[]

/** Scores at every step, gathered until groups are chosen. */
export interface StepCriterion {
  when: 'step'
  /** How steps are gathered: a moving average, or their sum. */
  gather: 'average' | 'sum'
  score(step: StepView): LayerScores[]
  compensation?: undefined
}

/** Scores anew whenever groups are chosen. */
export interface SelectionCriterion {
  when: 'selection'
  score(masks: GroupMasks): Promise<LayerScores[]>
  /** Called when the masks have changed, before the model is used with them. */
  removed?(before: GroupMasks, after: GroupMasks): void
  /** What makes up for the groups that have left. */
  readonly compensation?: Compensation
  /** What it must find again when the run is resumed. */
  state?(): SavedValues
  restore?(saved: RestoredValues): void
}

export type Criterion = StepCriterion | SelectionCriterion
