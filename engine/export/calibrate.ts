import { setImmediate } from 'node:timers/promises'
import { flushBackend } from '../backends/extras.ts'
import type { TokenBatch } from '../data/batches.ts'
import { calibrationBatches } from '../data/calibration.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import type { BlockExtras, LinearName } from '../models/family.ts'
import { embedBatch } from '../models/forward.ts'
import { disposeLayer, disposeModel, loadEmbedding, loadLayer } from '../models/load.ts'
import { openTokenizer } from '../models/model-tokenizer.ts'
import { familyOf } from '../models/registry.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { passOf } from '../training/gradients.ts'
import { compensationFits, sequences } from './calibration-cost.ts'

/** What goes into linear layers over all tokens that were run, as the file that is written gives it. */
export interface Inputs {
  /** Sums of squares of features. */
  squares: Float32Array
  /** Sums of products of features [features * features]; null where there is no room for them. */
  products: Float32Array | null
}

/** Texts for a calibration, as the model reads them. */
export const calibrationTexts = async (
  file: string,
  checkpoint: Checkpoint,
  { signal }: Pick<WorkControl, 'signal'>,
): Promise<TokenBatch[]> =>
  await calibrationBatches(
    {
      calibrationData: [file],
      calibrationShares: [],
      calibrationSamples: sequences.count,
      data: [file],
      batchSize: sequences.atOnce,
      sequenceLength: Math.min(sequences.length, checkpoint.config.maxPositions),
      seed: 0,
    },
    await openTokenizer(checkpoint),
    { signal },
  )

/**
 * Runs a text through the file that is made of a checkpoint, layer by layer: what a layer reads is known when its weights are
 * rounded, and the next layer sees what they became (as in GPTQ, arXiv 2210.17323).
 */
export class Calibration implements Disposable {
  /** Whether sums of products fit into memory. */
  readonly compensates: boolean
  readonly #checkpoint: Checkpoint
  readonly #batches: readonly TokenBatch[]
  readonly #control: WorkControl
  /** What goes into the next layer, by batch. */
  #streams: Tensor[] = []
  #inputs = new Map<LinearName, Inputs>()
  #done = 0

  /** @param control.progress batches that went through layers, of all */
  constructor(checkpoint: Checkpoint, batches: readonly TokenBatch[], control: WorkControl) {
    this.#checkpoint = checkpoint
    this.#batches = batches
    this.#control = control
    this.compensates = compensationFits(checkpoint)
  }

  /**
   * What linear layers of the layer that is open read, by the name that `LinearSpec.reads` has; and by `v` what is read
   * through values.
   */
  inputs(reads: LinearName): Inputs | undefined {
    return this.#inputs.get(reads)
  }

  /**
   * Looks at what a layer reads; layers come in their order.
   *
   * @param written the file as far as it is written: what comes before this layer
   */
  async open(layer: number, written: Checkpoint): Promise<void> {
    this.#inputs = new Map()
    if (layer === 0) this.#streams = embedded(written, this.#batches)
    const observing: BlockExtras = {
      observe: (reads, x) => this.#take(reads, x),
      observeValues: (x) => this.#take('v', x),
    }
    await this.#through(this.#checkpoint, layer, observing, (_, y) => y.dispose())
  }

  /** Lets the next layer see what became of this one. */
  async close(layer: number, written: Checkpoint): Promise<void> {
    this.#inputs = new Map()
    if (layer === this.#checkpoint.config.layers.length - 1) return
    await this.#through(written, layer, {}, (index, y) => {
      this.#streams[index]!.dispose()
      this.#streams[index] = y
    })
  }

  [Symbol.dispose](): void {
    tf.dispose(this.#streams)
    this.#streams = []
  }

  /** All batches through a checkpoint's layer; `take` gets what comes out. */
  async #through(
    checkpoint: Checkpoint,
    at: number,
    extras: BlockExtras,
    take: (batch: number, y: Tensor) => void,
  ): Promise<void> {
    const { config } = checkpoint
    const { length } = this.#batches
    const layer = loadLayer(checkpoint, at)
    try {
      for (const [index, batch] of this.#batches.entries()) {
        using pass = passOf(config, batch)
        const x = this.#streams[index]!
        const y = tf.tidy(() => familyOf(config).block(x, layer, config, pass, extras))
        flushBackend()
        take(index, y)
        // The last layer is not run again.
        this.#control.progress(++this.#done, (2 * config.layers.length - 1) * length)
        await setImmediate()
        this.#control.signal.throwIfAborted()
      }
    } finally {
      disposeLayer(layer)
    }
  }

  /** @param x [tokens, features] */
  #take(reads: LinearName, x: Tensor): void {
    const sums = this.#inputs.get(reads)
    this.#inputs.set(reads, {
      squares: added(sums?.squares, () => tf.sum(tf.square(x), 0)),
      products: this.compensates ? added(sums?.products, () => tf.matMul(x, x, true)) : null,
    })
  }
}

function embedded(checkpoint: Checkpoint, batches: readonly TokenBatch[]): Tensor[] {
  const model = loadEmbedding(checkpoint)
  try {
    return batches.map((batch) => embedBatch(model, batch))
  } finally {
    disposeModel(model)
  }
}

/** A sum with one more part; a new one where there is none. */
function added(sum: Float32Array | null | undefined, part: () => Tensor): Float32Array {
  const tensor = tf.tidy(part)
  const values = tensor.dataSync() as Float32Array
  tensor.dispose()
  if (!sum) return Float32Array.from(values)
  for (let i = 0; i < sum.length; i++) sum[i]! += values[i]!
  return sum
}
