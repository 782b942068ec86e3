import { flushBackend } from '../backends/extras.ts'
import type { Batches, TrainingBatch } from '../data/batches.ts'
import { type Adapter, disposeMatrices, type LayerMatrices, pairsOf, trainedMatrices } from '../lora/adapter.ts'
import type { LayerMask, Model } from '../models/family.ts'
import { linearOf } from '../models/tensors.ts'
import { SecateurError } from '../shared/errors.ts'
import { Random } from '../shared/random.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { AdamW, type AdamWSettings, clipGradients, learningRateAt, type LearningRateSettings } from './adamw.ts'
import { dropoutSource } from './dropout.ts'
import { keepsActivations, lossAndGradients } from './gradients.ts'
import type { Teacher } from './teacher.ts'

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
  /** What the loss is taken against beside the labels; none where its share is 0. */
  teacher?: Teacher | undefined
}

export interface StepResult {
  /** Mean over the step's targets, before the update. */
  loss: number
  gradientNorm: number
  learningRate: number
  tokens: number
}

/** The gradients of a step, and what they are of. */
export interface StepGradients {
  /** Mean over the step's targets. */
  loss: number
  gradients: LayerMatrices[]
  /** L2 norm of all gradients before clipping. */
  norm: number
  /** The step's micro-batches. */
  batches: readonly TrainingBatch[]
  /** Whether there is nothing to learn yet: the gradients are there to be scored, and leave the adapter as it is. */
  onlyScored: boolean
}

/** Trains an adapter over frozen weights. Everything random in step t follows from the seed and t. */
export class Trainer {
  readonly model: Model
  readonly adapter: Adapter
  readonly optimiser: AdamW
  readonly settings: TrainerSettings
  readonly #batches: Batches
  /** Steps in a row whose loss was not a number. */
  #lossless = 0

  constructor(model: Model, adapter: Adapter, batches: Batches, settings: TrainerSettings) {
    this.model = model
    this.adapter = adapter
    this.settings = settings
    this.#batches = batches
    this.optimiser = new AdamW(trainedMatrices(adapter), settings)
  }

  /**
   * Optimiser step number `step`, counted from 1.
   *
   * @param observe sees the step's gradients before the adapter changes
   */
  step(step: number, observe?: (found: StepGradients) => void): StepResult {
    const found = this.gradients(step)
    observe?.(found)
    return this.update(step, found)
  }

  /**
   * The adapter's gradients of a step, clipped and summed over its micro-batches: this is where a criterion takes its scores.
   *
   * A model of which nothing has left has nothing to learn from itself: its divergence and all gradients of that are zero, and
   * scores of them would choose by the order of the groups. Where the dense model alone teaches, the gradients are those of the
   * labels until something has left, the loss is the divergence, 0, and the adapter stays as it is.
   *
   * @param masks what the forward pass applies
   * @param isWhole whether the masks hide nothing
   */
  gradients(step: number, masks?: readonly LayerMask[], isWhole = false): StepGradients {
    const { teacher } = this.settings
    const onlyScored = isWhole && teacher?.isDense === true && teacher.share === 1
    const { loss, ...found } = this.#accumulate(step, masks, onlyScored ? undefined : teacher)
    const norm = clipGradients(found.gradients, this.settings.maxGradientNorm)
    return { ...found, norm, loss: onlyScored ? 0 : loss, onlyScored }
  }

  /**
   * Changes the adapter by a step's gradients, which are disposed of.
   *
   * @throws SecateurError where the loss has not been a number for three steps
   */
  update(step: number, { loss, gradients, norm, batches, onlyScored }: StepGradients): StepResult {
    const learningRate = learningRateAt(step, this.settings.steps, this.settings)
    // One step that overflows must not spoil the adapter for good.
    if (Number.isFinite(norm) && this.settings.update !== false && !onlyScored)
      this.optimiser.apply(trainedMatrices(this.adapter), gradients, step, learningRate)
    disposeMatrices(gradients)
    this.#lossless = Number.isFinite(loss) ? 0 : this.#lossless + 1
    if (this.#lossless >= 3)
      throw new SecateurError(
        'bad-setting',
        `the loss has not been a number for three steps, up to step ${step}: take a smaller learning rate than ${this.settings.learningRate}`,
      )
    return {
      loss,
      gradientNorm: norm,
      learningRate,
      tokens: batches.reduce((sum, { rows, length }) => sum + rows * length, 0),
    }
  }

  #accumulate(
    step: number,
    masks: readonly LayerMask[] | undefined,
    teacher: Teacher | undefined,
  ): Omit<StepGradients, 'norm' | 'onlyScored'> {
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
    let unread: Tensor | null = null
    const read = () => {
      loss += unread?.dataSync()[0] ?? 0
      unread?.dispose()
    }
    let total: LayerMatrices[] | null = null
    for (const [i, batch] of batches.entries()) {
      const dropout = dropoutSource(
        new Random(seed).fork(`dropout.${first + i}`),
        this.adapter.settings.dropout,
        (layer, name) => linearOf(this.model.config, layer, name).inputs,
      )
      const part = lossAndGradients(this.model, this.adapter, batch, divisor, {
        masks,
        dropout,
        teacher,
        keep:
          this.settings.gradientCheckpointing === 'off' ||
          (this.settings.gradientCheckpointing !== 'on' &&
            keepsActivations(this.model.config, batch.rows, batch.length)),
      })
      flushBackend()
      // A loss is read once the next batch was sent, so that a card is never without work while the host records.
      read()
      unread = part.loss
      total = total ? addMatrices(total, part.gradients) : part.gradients
    }
    read()
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
    for (const [name, { a, b }] of pairsOf(matrices)) {
      const more = other[index]![name]!
      sum[name] = { a: tf.add(a, more.a), b: tf.add(b, more.b) }
    }
    return sum
  })
  disposeMatrices(one)
  disposeMatrices(other)
  return sums
}
