import { setImmediate } from 'node:timers/promises'
import type { FinetuneJob, JobContext, PruneJob, StepMetrics, Validation } from '../contract/index.ts'
import { type AdapterValues, adapterValues } from '../lora/adapter.ts'
import type { LayerMask } from '../models/family.ts'
import type { RestoredValues, SavedValues } from '../shared/saved-values.ts'
import { measureBatch } from '../training/loss.ts'
import type { Trainer } from '../training/trainer.ts'
import type { RunFolder } from './run-folder.ts'
import { StageProgress } from './stage-progress.ts'
import type { ValidationData } from './training-data.ts'

type ValidationSettings = Pick<FinetuneJob | PruneJob, 'validationEvery' | 'keepBest' | 'seed'>

interface Best {
  step: number
  loss: number
  /** Of images. */
  top1?: number
  adapter: AdapterValues
}

/** What a measurement came to, as a line of metrics.jsonl has it. */
export interface MeasuredLine {
  /** Mean over all targets in nats; null where it is not a number. */
  validationLoss: number | null
  /** Fraction of the images whose class is the likeliest one; left out of text. */
  validationTop1?: number
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
  #last: MeasuredLine = { validationLoss: null }

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
    const { validationLoss = null, validationTop1 } = line
    if (line.step === this.#steps)
      this.#last = { validationLoss, ...(validationTop1 === undefined ? {} : { validationTop1 }) }
    if (!this.isDue(line.step) || line.validationLoss !== undefined) return true
    const measured = await this.measure(line.step)
    if (measured === undefined) return false
    folder.metrics.start(line.step - 1, (message) => this.#context.emit({ type: 'warning', message }))
    folder.metrics.append({ ...line, ...measured })
    this.tell(line.step, measured)
    return true
  }

  isDue(step: number): boolean {
    return step % this.#settings.validationEvery === 0 || step === this.#steps
  }

  /** Undefined where the signal stopped it. */
  async measure(step: number): Promise<MeasuredLine | undefined> {
    const { emit, signal } = this.#context
    const { batches, targets } = this.#data
    const { model, adapter } = this.#trainer
    const progress = new StageProgress('validating', emit)
    this.#last = { validationLoss: null }
    let sum = 0
    let correct: number | null = null
    for (let index = 0; index < batches.perEpoch; index++) {
      if (signal.aborted) return undefined
      progress.report(index, batches.perEpoch)
      const part = measureBatch(model, adapter, batches.at(index), this.#validated.masks())
      sum += part.loss
      if (part.correct !== null) correct = (correct ?? 0) + part.correct
      await setImmediate()
    }
    const loss = sum / targets
    const isNumber = Number.isFinite(loss)
    const top1 = correct === null ? null : correct / targets
    this.#last = { validationLoss: isNumber ? loss : null, ...(top1 !== null && { validationTop1: top1 }) }
    if (!isNumber || !this.#settings.keepBest || !this.#validated.mayBeWritten(step)) return this.#last
    // What the back end gives may change with the next step: a copy is kept.
    if (this.#best === null || loss < this.#best.loss)
      this.#best = {
        step,
        loss,
        ...(top1 !== null && { top1 }),
        adapter: mapped(adapterValues(adapter), (data) => data.slice()),
      }
    return this.#last
  }

  /** Says what a step came to, once it is written down. */
  tell(step: number, { validationLoss: loss, validationTop1: top1 }: MeasuredLine): void {
    const best = this.#best?.step === step
    this.#context.emit({ type: 'validated', step, loss, ...(top1 === undefined ? {} : { top1 }), best })
  }

  /** What is to be written: the adapter of the best step, or of the last one. */
  get written(): AdapterValues {
    return this.#best?.adapter ?? adapterValues(this.#trainer.adapter)
  }

  get result(): Validation {
    const { file, rows, targets } = this.#data
    const best = this.#best && withoutAdapter(this.#best)
    const { validationLoss: last, validationTop1: lastTop1 } = this.#last
    return {
      file,
      seed: this.#settings.seed,
      rows,
      targets,
      last,
      ...(lastTop1 === undefined ? {} : { lastTop1 }),
      best,
      written: best?.step ?? this.#steps,
    }
  }

  /** What a resumed run must find again: the best step, its loss in full precision, and its adapter. */
  state(): SavedValues {
    const values: SavedValues = new Map()
    if (this.#best === null) return values
    const { step, loss, top1 } = this.#best
    const at = [step, loss, ...(top1 === undefined ? [] : [top1])].flatMap(inFloats)
    values.set('best', { shape: [at.length], data: Float32Array.from(at) })
    mapped(this.#best.adapter, (data, name) => {
      values.set(`best.${name}`, { shape: [data.length], data })
      return data
    })
    return values
  }

  restore(saved: RestoredValues): void {
    if (!saved.has('best')) return
    const isOfImages = this.#trainer.model.family.task === 'image-classification'
    const at = saved.value('best', (isOfImages ? 3 : 2) * parts)
    this.#best = {
      step: fromFloats(at.subarray(0, parts)),
      loss: fromFloats(at.subarray(parts, 2 * parts)),
      ...(isOfImages && { top1: fromFloats(at.subarray(2 * parts)) }),
      adapter: mapped(adapterValues(this.#trainer.adapter), ({ length }, name) => saved.value(`best.${name}`, length)),
    }
  }
}

function withoutAdapter(best: Best): Omit<Best, 'adapter'> {
  const { adapter: _, ...rest } = best
  return rest
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
  { layers, classifier, ...rest }: AdapterValues,
  change: (data: Float32Array, name: string) => Float32Array,
): AdapterValues => ({
  ...rest,
  classifier: classifier && { a: change(classifier.a, 'classifier.a'), b: change(classifier.b, 'classifier.b') },
  layers: layers.map((pairs, layer) =>
    Object.fromEntries(
      Object.entries(pairs).map(([name, pair]) => [
        name,
        { a: change(pair!.a, `${layer}.${name}.a`), b: change(pair!.b, `${layer}.${name}.b`) },
      ]),
    ),
  ),
})
