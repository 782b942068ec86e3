import { setImmediate } from 'node:timers/promises'
import type { FinetuneJob, JobContext, PruneJob, StepMetrics, Validation } from '../contract/index.ts'
import { type AdapterValues, adapterValues } from '../lora/adapter.ts'
import type { LayerMask } from '../models/family.ts'
import type { RestoredValues, SavedValues } from '../shared/saved-values.ts'
import { summedLoss } from '../training/loss.ts'
import type { Trainer } from '../training/trainer.ts'
import type { RunFolder } from './run-folder.ts'
import { StageProgress } from './stage-progress.ts'
import type { ValidationData } from './training-data.ts'

type ValidationSettings = Pick<FinetuneJob | PruneJob, 'validationEvery' | 'keepBest' | 'seed'>

interface Best {
  step: number
  loss: number
  adapter: AdapterValues
}

/** What the forward pass applies at present, and whether the adapter of a step may be what is written. */
export interface Validated {
  masks: () => readonly LayerMask[] | undefined
  mayBeWritten: (step: number) => boolean
}

/**
 * Measures the loss on held-out rows every so many steps and after the last one, and keeps the adapter of the best step.
 * Nothing random is drawn and training is left as it is.
 */
export class Validator {
  readonly #settings: ValidationSettings
  readonly #data: ValidationData
  readonly #trainer: Trainer
  readonly #steps: number
  readonly #validated: Validated
  readonly #context: JobContext
  #best: Best | null = null
  #last: number | null = null

  constructor(
    settings: ValidationSettings,
    data: ValidationData,
    { trainer, steps }: { trainer: Trainer; steps: number },
    validated: Validated,
    context: JobContext,
  ) {
    this.#settings = settings
    this.#data = data
    this.#trainer = trainer
    this.#steps = steps
    this.#validated = validated
    this.#context = context
  }

  /**
   * Measures the step that a resumed run stands at, where a stop had cut that short, and writes it into its line.
   *
   * @param line of that step; null where there is none
   * @returns whether nothing is left to measure there
   */
  async resume(line: StepMetrics | null, folder: RunFolder): Promise<boolean> {
    if (line === null) return true
    if (line.step === this.#steps) this.#last = line.validationLoss ?? null
    if (!this.isDue(line.step) || line.validationLoss !== undefined) return true
    const loss = await this.measure(line.step)
    if (loss === undefined) return false
    folder.metrics.start(line.step - 1, (message) => this.#context.emit({ type: 'warning', message }))
    folder.metrics.append({ ...line, validationLoss: loss })
    this.tell(line.step, loss)
    return true
  }

  isDue(step: number): boolean {
    return step % this.#settings.validationEvery === 0 || step === this.#steps
  }

  /** Mean loss over all targets in nats; null where it is not a number, undefined where the signal stopped it. */
  async measure(step: number): Promise<number | null | undefined> {
    const { emit, signal } = this.#context
    const { batches, targets } = this.#data
    const { model, adapter } = this.#trainer
    const progress = new StageProgress('validating', emit)
    this.#last = null
    let sum = 0
    for (let index = 0; index < batches.perEpoch; index++) {
      if (signal.aborted) return undefined
      progress.report(index, batches.perEpoch)
      sum += summedLoss(model, adapter, batches.at(index), this.#validated.masks())
      await setImmediate()
    }
    const loss = sum / targets
    this.#last = Number.isFinite(loss) ? loss : null
    if (this.#last === null || !this.#settings.keepBest || !this.#validated.mayBeWritten(step)) return this.#last
    // What the back end gives may change with the next step: a copy is kept.
    if (this.#best === null || loss < this.#best.loss)
      this.#best = { step, loss, adapter: mapped(adapterValues(adapter), (data) => data.slice()) }
    return this.#last
  }

  /** Says what a step came to, once it is written down. */
  tell(step: number, loss: number | null): void {
    this.#context.emit({ type: 'validated', step, loss, best: this.#best?.step === step })
  }

  /** What is to be written: the adapter of the best step, or of the last one. */
  get written(): AdapterValues {
    return this.#best?.adapter ?? adapterValues(this.#trainer.adapter)
  }

  get result(): Validation {
    const { file, rows, targets } = this.#data
    const best = this.#best && { step: this.#best.step, loss: this.#best.loss }
    return {
      file,
      seed: this.#settings.seed,
      rows,
      targets,
      last: this.#last,
      best,
      written: best?.step ?? this.#steps,
    }
  }

  /** What a resumed run must find again: the best step, its loss in full precision, and its adapter. */
  state(): SavedValues {
    const values: SavedValues = new Map()
    if (this.#best === null) return values
    const at = [...inFloats(this.#best.step), ...inFloats(this.#best.loss)]
    values.set('best', { shape: [at.length], data: Float32Array.from(at) })
    mapped(this.#best.adapter, (data, name) => {
      values.set(`best.${name}`, { shape: [data.length], data })
      return data
    })
    return values
  }

  restore(saved: RestoredValues): void {
    if (!saved.has('best')) return
    const at = saved.value('best', 2 * parts)
    this.#best = {
      step: fromFloats(at.subarray(0, parts)),
      loss: fromFloats(at.subarray(parts)),
      adapter: mapped(adapterValues(this.#trainer.adapter), ({ length }, name) => saved.value(`best.${name}`, length)),
    }
  }
}

/** A double is the sum of so many floats: 53 bits in parts of 24. */
const parts = 3

function inFloats(value: number): number[] {
  let rest = value
  return Array.from({ length: parts }, () => {
    const part = Math.fround(rest)
    rest -= part
    return part
  })
}

const fromFloats = (values: Float32Array): number => values.reduceRight((sum, value) => sum + value, 0)

/** Other values for the matrices of an adapter, each with its name. */
const mapped = (
  { layers, ...rest }: AdapterValues,
  change: (data: Float32Array, name: string) => Float32Array,
): AdapterValues => ({
  ...rest,
  layers: layers.map((pairs, layer) =>
    Object.fromEntries(
      Object.entries(pairs).map(([name, pair]) => [
        name,
        { a: change(pair!.a, `${layer}.${name}.a`), b: change(pair!.b, `${layer}.${name}.b`) },
      ]),
    ),
  ),
})
