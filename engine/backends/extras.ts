import type { FrozenWeight } from '../tensor/frozen-weight.ts'
import { type Tensor, tf } from '../tensor/tf.ts'

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
  /**
   * Does work that comes again with other values of its inputs, and remembers it, where recording it anew would take the host
   * longer than it takes the card. What else the work reads stays as it is, and shapes do not depend on the inputs' values.
   * Null, the default, where nothing is gained.
   */
  readonly recordWork: ((inputs: readonly Tensor[], work: () => WorkResult) => RecordedWork) | null
  /** Bytes of memory that `atOnce` takes beside what is computed: code and threads. None by default. */
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

/** Values of a tensor, as they lie in its memory. */
export type StepValues = Float32Array | Int32Array

/** What work comes to each time, and what stays on the card beside it and is read only where somebody asks. */
export interface WorkResult {
  result: Tensor
  beside?: Tensor
}

/** Work that was done once. Its inputs are the caller's, and stay until this is disposed of. */
export interface RecordedWork {
  /** What it came to the first time. */
  first: Float32Array
  /** What it comes to with these values of its inputs; null where it must be recorded again, since weights were moved. */
  again(values: readonly StepValues[]): Float32Array | null
  /** What it has made beside its result the last time; the result where that is all. */
  readBeside(): Float32Array
  dispose(): void
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
  recordWork: null,
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

/** Rows of a head's input whose logits the back end in use holds at once where it need not hold more. */
export function handyRows(vocabulary: number): number {
  const { handy, most, rows } = backendExtras().logitsAtOnce
  return Math.max(1, Math.floor(Math.max(handy / vocabulary, Math.min(rows, most / vocabulary))))
}

/** Runs what the back end in use has recorded. */
export const flushBackend = (): void => backendExtras().flush()
