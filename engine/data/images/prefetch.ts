import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Batches, ImageBatch } from '../batch-types.ts'
import { debug } from '../../shared/log.ts'
import { imageBatches, type ImageBatchOptions } from './image-batches.ts'
import { readImages, type StoredImages } from './stored-images.ts'

/** What the thread that works ahead is started with. */
export interface Ahead {
  images: StoredImages
  options: ImageBatchOptions
  slots: Slot[]
}

/** Where a batch is left for the training; in memory that both threads see. */
interface Slot {
  /** `empty`, `ready` or `failed`. */
  state: Int32Array<SharedArrayBuffer>
  patches: Float32Array<SharedArrayBuffer>
  labels: Int32Array<SharedArrayBuffer>
}

const shared = (bytes: number) => new SharedArrayBuffer(bytes)

const empty = 0
export const ready = 1
export const failed = 2

/** Threads that make batches, of the cores that a step on a graphics card leaves idle. */
const threads = Math.min(4, Math.max(1, Math.floor(availableParallelism() / 4)))
/** Batches that are made while the one before is trained on: one in each thread, and one that lies ready. */
const ahead = threads + 1
/** Numbers of a batch below which it is made sooner than another thread could hand it over. */
const fewNumbers = 2 ** 19
/** A number of a part that is cut out and resized takes as long as so many others. */
const resizedCosts = 8
/** Milliseconds after which threads are taken for dead. */
const patience = 60_000

export interface PrefetchedBatches extends Batches<ImageBatch>, Disposable {
  /** Milliseconds that the training has waited for its batches so far. */
  readonly waited: number
}

type BatchSize = Pick<ImageBatchOptions, 'imageSize' | 'patchSize' | 'patchValues' | 'rows' | 'augmentation'>

/** Numbers of a batch. */
const numbersOf = ({ imageSize, patchSize, patchValues, rows }: BatchSize): number =>
  rows * Math.floor(imageSize[0] / patchSize[0]) * Math.floor(imageSize[1] / patchSize[1]) * patchValues

/** Whether batches are large enough to be made ahead by other threads. */
export const makesAhead = (batch: BatchSize, fewest = fewNumbers): boolean =>
  numbersOf(batch) * (batch.augmentation === 'crop-and-flip' ? resizedCosts : 1) >= fewest

/**
 * The training batches of images, made ahead by other threads where they are large, so that training does not wait for them:
 * reading, augmenting and scaling hundreds of images takes as long as a step on a graphics card. They are the same, bit for
 * bit, as `imageBatches` gives. Dispose of it.
 *
 * @param fewest numbers of a batch from which a thread is worth its while
 */
export function prefetchedBatches(
  images: StoredImages,
  options: ImageBatchOptions,
  fewest = fewNumbers,
): PrefetchedBatches {
  const source = readImages(images)
  const own = imageBatches(source, options)
  const others = makesAhead(options, fewest) ? new AheadThreads(images, options, numbersOf(options)) : null
  let waited = 0
  let taken = 0
  const started = performance.now()
  return {
    perEpoch: own.perEpoch,
    tokensPerEpoch: own.tokensPerEpoch,
    at(index) {
      const began = performance.now()
      const made = others?.take(index) ?? own.at(index)
      waited += performance.now() - began
      taken++
      return made
    },
    get waited() {
      return waited
    },
    [Symbol.dispose]() {
      const share = (100 * waited) / Math.max(1, performance.now() - started)
      debug('images', () => `training waited for ${taken} batches ${share.toFixed(2)}% of its time`)
      others?.[Symbol.dispose]()
      source[Symbol.dispose]()
    },
  }
}

/** Threads that make the batches after the one that was taken last. */
class AheadThreads implements Disposable {
  readonly #options: ImageBatchOptions
  readonly #slots: Slot[]
  readonly #workers: readonly Worker[]
  /** The number of the batch that is made in each slot; null where none is. */
  readonly #indices: (number | null)[]
  #isAlive = true

  constructor(images: StoredImages, options: ImageBatchOptions, numbers: number) {
    this.#options = options
    this.#slots = Array.from({ length: ahead }, () => ({
      state: new Int32Array(shared(4)),
      patches: new Float32Array(shared(4 * numbers)),
      labels: new Int32Array(shared(4 * options.rows)),
    }))
    this.#indices = this.#slots.map(() => null)
    const data: Ahead = { images, options, slots: this.#slots }
    const program = new URL('./batch-worker.ts', import.meta.url)
    this.#workers = Array.from({ length: threads }, () => new Worker(program, { workerData: data }))
    for (const worker of this.#workers) {
      // A run that is over does not wait for them, and one whose threads have died goes on without them.
      worker.unref()
      worker.on('error', () => (this.#isAlive = false))
    }
  }

  /** A batch, once it is there, and begins with those after it; null where the caller must make it itself. */
  take(index: number): ImageBatch | null {
    if (!this.#isAlive) return null
    const slot = index % ahead
    let found: ImageBatch | null = null
    if (this.#indices[slot] === index) {
      found = this.#received(slot)
      this.#indices[slot] = null
    }
    for (let next = index + 1; next <= index + ahead; next++) this.#ask(next)
    return found
  }

  #received(number: number): ImageBatch | null {
    const { state, patches, labels } = this.#slots[number]!
    if (Atomics.wait(state, 0, empty, patience) === 'timed-out') {
      this.#isAlive = false
      return null
    }
    if (Atomics.load(state, 0) !== ready) return null
    const { rows, length } = this.#options
    const targets = labels.reduce((count, label) => (label < 0 ? count : count + 1), 0)
    // The slot is written again while the batch is in use.
    return { patches: patches.slice(), labels: labels.slice(), rows, length, targets }
  }

  #ask(index: number): void {
    const slot = index % ahead
    const { state } = this.#slots[slot]!
    const asked = this.#indices[slot]
    // A batch that nobody took, since the training jumped, makes way once it is made.
    if (asked === index || (asked !== null && Atomics.load(state, 0) === empty)) return
    this.#indices[slot] = index
    Atomics.store(state, 0, empty)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#workers[index % threads]!.postMessage({ index, slot })
  }

  [Symbol.dispose](): void {
    for (const worker of this.#workers) void worker.terminate()
  }
}
