import type { TrainingBatch } from '../../data/batches.ts'
import type { Adapter, LayerMatrices } from '../../lora/adapter.ts'
import type { LayerMask, LlamaModel } from '../../models/llama.ts'
import type { SavedValues } from '../../shared/saved-values.ts'
import type { Kind } from '../groups.ts'
import type { GroupMasks } from '../masks.ts'

/** One score a group, of each kind; the lowest leave first. */
export type LayerScores = Record<Kind, Float32Array>

/** What a criterion may look at. */
export interface ModelView {
  model: LlamaModel
  adapter: Adapter
  /** The masks that the model is used with at present. */
  masks: () => LayerMask[] | undefined
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

/** Scores at every step, gathered until groups are chosen. */
export interface StepCriterion {
  when: 'step'
  /** How steps are gathered: a moving average, or their sum. */
  gather: 'average' | 'sum'
  score(step: StepView): LayerScores[]
}

/** Scores anew whenever groups are chosen. */
export interface SelectionCriterion {
  when: 'selection'
  score(masks: GroupMasks): Promise<LayerScores[]>
  /** Called when the masks have changed, before the model is used with them. */
  removed?(before: GroupMasks, after: GroupMasks): void
  /** What it must find again when the run is resumed. */
  state?(): SavedValues
  restore?(value: (name: string) => Float32Array): void
}

export type Criterion = StepCriterion | SelectionCriterion
