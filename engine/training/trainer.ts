import { projectionShape } from '../models/projections.ts'
import type { Batches, TrainingBatch } from '../data/batches.ts'
import { type Adapter, disposeMatrices, type LayerMatrices, pairsOf } from '../lora/adapter.ts'
import type { LayerMask, LlamaModel } from '../models/llama.ts'
import { Random } from '../shared/random.ts'
import { tf } from '../tensor/tf.ts'
import { AdamW, type AdamWSettings, clipGradients, learningRateAt, type LearningRateSettings } from './adamw.ts'
import { dropoutSource } from './dropout.ts'
import { keepsActivations, lossAndGradients } from './gradients.ts'

export interface TrainerSettings extends AdamWSettings, LearningRateSettings {
  steps: number
  /** Micro-batches whose gradients make one step. */
  gradientAccumulation: number
  maxGradientNorm: number
  seed: number
  /** Whether the backward pass computes blocks again (`on`) or finds their activations kept (`off`); `auto` by their size. */
  gradientCheckpointing?: 'auto' | 'off' | 'on'
  /** Whether steps change the adapter (default), or are only looked at. */
  update?: boolean
}

export interface StepResult {
  /** Mean over the step's targets, before the update. */
  loss: number
  gradientNorm: number
  learningRate: number
  tokens: number
}

/** Trains an adapter over frozen weights. Everything random in step t follows from the seed and t. */
export class Trainer {
  readonly model: LlamaModel
  readonly adapter: Adapter
  readonly optimiser: AdamW
  readonly settings: TrainerSettings
  readonly #batches: Batches
  masks: LayerMask[] | undefined

  constructor(model: LlamaModel, adapter: Adapter, batches: Batches, settings: TrainerSettings) {
    this.model = model
    this.adapter = adapter
    this.settings = settings
    this.#batches = batches
    this.optimiser = new AdamW(adapter.layers, settings)
  }

  /**
   * Optimiser step number `step`, counted from 1.
   *
   * @param observe sees the step's gradients, clipped and summed over micro-batches, before the adapter changes: this is
   *   where a criterion takes its scores; and the step's micro-batches
   */
  step(step: number, observe?: (gradients: LayerMatrices[], batches: readonly TrainingBatch[]) => void): StepResult {
    const { loss, gradients, batches } = this.#accumulate(step)
    const gradientNorm = clipGradients(gradients, this.settings.maxGradientNorm)
    observe?.(gradients, batches)
    const learningRate = learningRateAt(step, this.settings.steps, this.settings)
    // One step that overflows must not spoil the adapter for good.
    if (Number.isFinite(gradientNorm) && this.settings.update !== false)
      this.optimiser.apply(this.adapter.layers, gradients, step, learningRate)
    disposeMatrices(gradients)
    const tokens = batches.reduce((sum, { ids }) => sum + ids.length, 0)
    return { loss, gradientNorm, learningRate, tokens }
  }

  #accumulate(step: number): { loss: number; gradients: LayerMatrices[]; batches: TrainingBatch[] } {
    const { gradientAccumulation, seed } = this.settings
    const first = (step - 1) * gradientAccumulation
    const batches = Array.from({ length: gradientAccumulation }, (_, i) => this.#batches.at(first + i))
    const divisor = tf.scalar(
      Math.max(
        1,
        batches.reduce((sum, { targets }) => sum + targets, 0),
      ),
    )
    let loss = 0
    let total: LayerMatrices[] | null = null
    for (const [i, batch] of batches.entries()) {
      const dropout = dropoutSource(
        new Random(seed).fork(`dropout.${first + i}`),
        this.adapter.settings.dropout,
        (layer, projection) => projectionShape(this.model.config, layer, projection)[1],
      )
      const part = lossAndGradients(this.model, this.adapter, batch, divisor, {
        masks: this.masks,
        dropout,
        keep:
          this.settings.gradientCheckpointing === 'off' ||
          (this.settings.gradientCheckpointing !== 'on' &&
            keepsActivations(this.model.config, batch.rows, batch.length)),
      })
      loss += part.loss.dataSync()[0]!
      part.loss.dispose()
      total = total ? addMatrices(total, part.gradients) : part.gradients
    }
    divisor.dispose()
    return { loss, gradients: total!, batches }
  }

  dispose(): void {
    this.optimiser.dispose()
  }
}

/** The sum of two sets of gradients, which are disposed of. */
export function addMatrices(one: LayerMatrices[], other: LayerMatrices[]): LayerMatrices[] {
  const sums = one.map((matrices, index) => {
    const sum: LayerMatrices = {}
    for (const [projection, { a, b }] of pairsOf(matrices)) {
      const more = other[index]![projection]!
      sum[projection] = { a: tf.add(a, more.a), b: tf.add(b, more.b) }
    }
    return sum
  })
  disposeMatrices(one)
  disposeMatrices(other)
  return sums
}
