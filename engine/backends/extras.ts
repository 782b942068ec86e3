import type { FrozenWeight } from '../tensor/frozen-weight.ts'
import { tf } from '../tensor/tf.ts'

/** What a back end may offer beyond the `KernelBackend` of TensorFlow.js. Each extra has a default: see `defaults`. */
export interface BackendExtras {
  /**
   * Runs what has been recorded, so that tensors which are still alive become real and the next block starts a graph of its
   * own. By default it does nothing: the back end computes at once.
   */
  flush(): void
  /**
   * Does work on few rows, a token of each text, whose operations are so small that a graph of them would cost more than they do:
   * a back end that records computes them at once. By default the work is simply done.
   */
  atOnce<Result>(work: () => Result): Result
  /** Bytes of memory that this takes beside what is computed: code and threads. None by default. */
  readonly atOnceBytes: number
  /** By default few enough logits to stay in a processor's last cache. */
  readonly logitsAtOnce: LogitsAtOnce
  /** Null, the default, where the back end reads frozen weights from host memory. */
  readonly weightHolder: WeightHolder | null
  /** Room for the weights of one model in host memory, where products read them best. By default any memory will do. */
  weightRoom(): WeightRoom
  /** Hears that a model is not needed any more. By default nothing needs to be done for its memory to be free. */
  weightsDropped(): void
}

/** How many logits a back end should hold at once. Fewer cost more passes over the head's weight; more cost memory. */
export interface LogitsAtOnce {
  /** Logits of one piece of the head's work. */
  handy: number
  /** Logits that a piece may have so that it has at least `rows` rows, where vocabularies are large. */
  most: number
  /** Rows below which a product with the head's weight is slow. */
  rows: number
}

/** Host memory for weights, which is free again when the model is disposed of and nothing points into it. */
export interface WeightRoom {
  /** Bytes whose contents are arbitrary. */
  take(bytes: number): Uint8Array
}

/** A back end that keeps frozen weights in memory of its own. */
export interface WeightHolder {
  /** Takes the weight now, where there is room for it beside the weights that it holds. */
  placeWeight(weight: FrozenWeight): void
  /** Frees what is held of a weight that is not needed any more. */
  dropWeight(weight: FrozenWeight): void
}

const defaults: BackendExtras = {
  flush() {},
  atOnce: (work) => work(),
  atOnceBytes: 0,
  logitsAtOnce: { handy: 2 ** 21, most: 2 ** 23, rows: 128 },
  weightHolder: null,
  weightRoom: () => ({ take: (bytes) => new Uint8Array(bytes) }),
  weightsDropped() {},
}

const offered = new WeakMap<object, BackendExtras>()

/** Declares what a back end offers. A back end calls it when it is made. */
export const offerExtras = (backend: object, extras: Partial<BackendExtras>): void =>
  void offered.set(backend, { ...defaults, ...extras })

/** The extras of the back end in use. */
export const backendExtras = (): BackendExtras => offered.get(tf.backend()) ?? defaults

/** Runs what the back end in use has recorded. */
export const flushBackend = (): void => backendExtras().flush()
