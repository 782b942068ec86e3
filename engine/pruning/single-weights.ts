import type { TrainingBatch } from '../data/batches.ts'
import { fromFloat32, toFloat32 } from '../checkpoint/dtype.ts'
import type { AdapterValues } from '../lora/adapter.ts'
import { mergedReader, readAll, type ReadTensor } from '../lora/merge.ts'
import type { Model } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { weightPlaces, type WeightPlace } from '../models/tensors.ts'
import type { SavedValues } from '../shared/saved-values.ts'
import { frozenFloats, quantise } from '../tensor/frozen-weight.ts'
import { type StepEvent, takeSteps } from '../training/loop.ts'
import type { Trainer } from '../training/trainer.ts'
import type { Base, Pruning } from './prune.ts'
import { activationStatistics, inputOf, type LayerStatistics, rootMeanSquares } from './statistics/activations.ts'

export interface SingleWeightSettings {
  /** Fraction of the weights of each linear layer that become zero. */
  ratio: number
  criterion: 'magnitude-unstructured' | 'wanda-unstructured'
  /** Whether the model holds its weights in 8 bits. */
  int8: boolean
}

/**
 * Pruning of single weights, for comparison: they are zero from the first step on, and an adapter that is trained over
 * them fills them again when it is merged.
 */
export class SingleWeightPruning implements Pruning {
  readonly #model: Model
  readonly #settings: SingleWeightSettings
  readonly #calibration: () => Promise<TrainingBatch[]>
  readonly #read: ReadTensor
  readonly #places: Map<string, WeightPlace[]>
  /** Of the dense model's activations, where Wanda looks at them. */
  #statistics: LayerStatistics[] | null = null
  #isZeroed = false
  readonly maskTensors = undefined

  /** @param read reads a tensor of the checkpoint */
  constructor(
    model: Model,
    settings: SingleWeightSettings,
    calibration: () => Promise<TrainingBatch[]>,
    read: ReadTensor,
  ) {
    this.#model = model
    this.#settings = settings
    this.#calibration = calibration
    this.#read = read
    this.#places = Map.groupBy(weightPlaces(model.config), ({ tensor }) => tensor)
  }

  async *run(trainer: Trainer, from: number): AsyncGenerator<StepEvent> {
    await this.prepare()
    yield* takeSteps(trainer, from)
  }

  /** Sets weights to zero, the same ones again where the run is resumed: all comes from the seed and the dense weights. */
  async prepare(): Promise<void> {
    if (this.#isZeroed) return
    if (this.#settings.criterion === 'wanda-unstructured')
      this.#statistics = activationStatistics(this.#model, undefined, await this.#calibration(), undefined)
    this.#isZeroed = true
    for (const [name, places] of this.#places) {
      const stored = toFloat32(this.#read(name))
      for (const place of places) {
        const frozen = frozenFloats(this.#zeroed(stored, place), place.rows, place.inputs)
        const linear = this.#model.layers[place.layer]!.linears[place.linear]!
        linear.weight = this.#settings.int8 ? quantise(frozen) : frozen
      }
    }
  }

  /** They are gone before the first step. */
  isFinal(): boolean {
    return true
  }

  /** The checkpoint's tensors with the zeros in them. */
  readonly read: ReadTensor = (name) => {
    const stored = this.#read(name)
    const places = this.#places.get(name)
    if (!places || !this.#isZeroed) return stored
    const whole = toFloat32(stored).slice()
    for (const place of places) whole.set(this.#zeroed(whole, place), place.first * place.inputs)
    return { ...stored, bytes: fromFloat32(whole, stored.dtype) }
  }

  result(
    adapter: AdapterValues,
    base: Base = (_, read) => read,
  ): { config: ModelConfig; tensors: () => Iterable<ReturnType<ReadTensor>> } {
    const { config } = this.#model
    const merged = mergedReader(config, base(config, this.read), adapter)
    return { config, tensors: () => readAll(config, merged) }
  }

  state(): SavedValues {
    return new Map()
  }

  /** The zeros follow from the settings and the checkpoint. */
  restore(): void {}

  [Symbol.dispose](): void {}

  #zeroed(stored: Float32Array, { layer, linear, first, rows, inputs }: WeightPlace): Float32Array {
    const weight = stored.subarray(first * inputs, (first + rows) * inputs)
    const { config } = this.#model
    const norms = this.#statistics && rootMeanSquares(inputOf(config, this.#statistics, layer, linear))
    return withoutLowest(weight, inputs, this.#settings.ratio, norms ?? undefined)
  }
}

/** Fraction of the weights of all linear layers that are not zero. */
export function densityOf(config: ModelConfig, read: ReadTensor): number {
  let [filled, all] = [0, 0]
  for (const name of new Set(weightPlaces(config).map(({ tensor }) => tensor))) {
    const weights = toFloat32(read(name))
    all += weights.length
    for (let i = 0; i < weights.length; i++) if (weights[i] !== 0) filled++
  }
  return filled / all
}

/**
 * A weight [rows, columns] with its lowest fraction set to zero: of the whole matrix by |W|, or, with norms of the inputs
 * [columns] (Wanda, arXiv 2306.11695), of each row by |W_ij| times the norm of input j.
 */
export function withoutLowest(
  weight: Float32Array,
  columns: number,
  ratio: number,
  norms?: Float32Array,
): Float32Array {
  const result = weight.slice()
  const size = norms ? columns : weight.length
  const remove = Math.floor(size * ratio + 1e-9)
  if (remove === 0) return result
  const scores = new Float32Array(size)
  for (let start = 0; start < weight.length; start += size) {
    for (let i = 0; i < size; i++) scores[i] = Math.abs(weight[start + i]!) * (norms ? norms[i]! : 1)
    const threshold = nthLowest(scores, remove - 1)
    // Of equal scores at the threshold the first ones leave, so that the count is exact.
    let left = remove
    for (let i = 0; i < size; i++) if (scores[i]! < threshold) left--
    for (let i = 0; i < size; i++) {
      const leaves = scores[i]! < threshold || (scores[i] === threshold && left-- > 0)
      if (leaves) result[start + i] = 0
    }
  }
  return result
}

/**
 * The value that stands at an index when values, none negative, are sorted. Floats that are not negative are in the order of
 * their bits: their upper halves are counted, and then the lower halves of those that share the upper half of what is sought.
 * Of 16 million this takes less than a tenth of the time of sorting; a few are sorted faster than the counts are cleared.
 *
 * @param index below the number of values
 */
export function nthLowest(values: Float32Array, index: number): number {
  if (values.length < 65_536) return values.toSorted()[index]!
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const upper = new Uint32Array(65_536)
  for (let i = 0; i < bits.length; i++) upper[bits[i]! >>> 16]!++
  const [high, rest] = placeOf(upper, index)
  const lower = new Uint32Array(65_536)
  for (let i = 0; i < bits.length; i++) if (bits[i]! >>> 16 === high) lower[bits[i]! & 0xffff]!++
  const [low] = placeOf(lower, rest)
  return new Float32Array(Uint32Array.of(high * 65_536 + low).buffer)[0]!
}

/** The bin that holds an index of all that was counted, and the index within the bin. */
function placeOf(counts: Uint32Array, index: number): [bin: number, within: number] {
  let left = index
  let bin = 0
  while (left >= counts[bin]!) left -= counts[bin++]!
  return [bin, left]
}
