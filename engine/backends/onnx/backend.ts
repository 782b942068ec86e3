import { SecateurError } from '../../shared/errors.ts'
import { type DataType, tf, type TensorInfo } from '../../tensor/tf.ts'
import { offerExtras } from '../extras.ts'
import { allocate, ArrayPool, type HostValues, valuesOf } from './array-pool.ts'
import { CompiledGraphs } from './compiled-graphs.ts'
import { type Entries, type Entry, elementTypes } from './entries.ts'
import { FloatBackend } from './float-backend.ts'
import type { ElementType } from './model-proto.ts'
import { Recorder, sizeOf, type Value } from './recorder.ts'
import { freeSoon, WeightRoom } from './rows/bank.ts'
import { CacheMemory } from './rows/cache-memory.ts'
import { Crew } from './rows/crew.ts'

/** The graph runs when it has this many nodes, so that a loop that never reads a value does not fill memory. */
const longestGraph = 4096

/**
 * A TensorFlow.js back end on ONNX Runtime. Kernels append nodes to a pending graph; `flush` (called when data is read, or
 * at the end of a block) runs it with every tensor that is still alive as an output. Compiled graphs are kept by structure.
 */
export class OnnxBackend extends FloatBackend {
  readonly threads: number
  /** Threads that compute products of few rows. */
  readonly crew: Crew
  readonly #compiled: CompiledGraphs
  readonly #entries: Entries
  readonly #pendingEntries = new Set<Entry>()
  readonly #arrays = new ArrayPool()
  readonly #caches = new CacheMemory()
  #isDirect = false
  /** Arrays of disposed tensors that the pending graph still reads. */
  #retired: HostValues[] = []
  #recorder = new Recorder()

  constructor(options: { threads: number }) {
    super()
    this.threads = options.threads
    this.crew = new Crew(options.threads)
    this.#compiled = new CompiledGraphs(options.threads)
    this.#entries = new tf.DataStorage<Entry>(this, tf.engine())
    offerExtras(this, {
      flush: () => this.flush(),
      atOnce: (work) => this.#atOnce(work),
      atOnceBytes: this.crew.bytes,
      weightRoom: () => new WeightRoom(),
      weightsDropped: freeSoon,
    })
  }

  /** The graph that kernels record into. */
  get graph(): Recorder {
    return this.#recorder
  }

  /** Whether kernels that can do without a graph compute at once. */
  get isDirect(): boolean {
    return this.#isDirect
  }

  #atOnce<Result>(work: () => Result): Result {
    const before = this.#isDirect
    this.#isDirect = true
    try {
      return work()
    } finally {
      this.#isDirect = before
    }
  }

  // What kernels call.

  /** A tensor as a value of the pending graph, in the shape that the kernel sees. */
  input(tensor: TensorInfo): Value {
    const entry = this.#entries.get(tensor.dataId)
    if (entry.data) return this.#recorder.feed(entry.data, entry.type, tensor.shape)
    return this.#recorder.reshape(entry.pending!, tensor.shape)
  }

  /** The tensor that a value of the pending graph will become. */
  output(
    value: Value,
    dtype: DataType = value.type === 'bool' ? 'bool' : value.type === 'int32' ? 'int32' : 'float32',
  ): TensorInfo {
    const type = elementTypes[dtype]!
    const shape = [...value.shape]
    const empty = sizeOf(shape) === 0
    const entry: Entry = {
      dtype,
      type,
      shape,
      references: 1,
      data: empty ? allocate(type, 0) : null,
      pending: empty ? null : this.#computed(value, type),
      recyclable: !empty,
    }
    if (entry.pending) this.#pendingEntries.add(entry)
    const dataId = {}
    this.#entries.set(dataId, entry)
    return { dataId, shape, dtype }
  }

  #computed(value: Value, type: ElementType): Value {
    const cast = this.#recorder.cast(value, type)
    return this.#recorder.isComputed(cast) ? cast : this.#recorder.node('Identity', [cast], type, cast.shape)
  }

  /** The same data in another shape or under another name. */
  alias(tensor: TensorInfo, shape: number[] = tensor.shape): TensorInfo {
    this.incRef(tensor.dataId)
    return { dataId: tensor.dataId, shape, dtype: tensor.dtype }
  }

  /** Values of a tensor if they are on the host already, so that a kernel can use them in the structure. */
  peek(tensor: TensorInfo): HostValues | null {
    return this.#entries.get(tensor.dataId).data
  }

  /** Values of a float32 tensor for a kernel on the host, computed now if need be. The kernel must not keep the array. */
  floats(tensor: TensorInfo): Float32Array {
    const entry = this.#entries.get(tensor.dataId)
    if (!entry.data) this.flush()
    return entry.data as Float32Array
  }

  /** A float32 tensor whose array a kernel on the host fills; its values are arbitrary before. */
  blank(shape: readonly number[]): { tensor: TensorInfo; data: Float32Array } {
    return this.#held(shape, this.#arrays.take('float32', sizeOf(shape)) as Float32Array, { recyclable: true })
  }

  /** The same in memory that kernels of few rows read, where there is room for it. */
  blankCache(shape: readonly number[]): { tensor: TensorInfo; data: Float32Array } {
    const taken = this.#caches.take(sizeOf(shape))
    return taken ? this.#held(shape, taken.data, { recyclable: false, release: taken.release }) : this.blank(shape)
  }

  #held(shape: readonly number[], data: Float32Array, way: Pick<Entry, 'recyclable' | 'release'>) {
    const dataId = {}
    this.#entries.set(dataId, { dtype: 'float32', type: 'float32', shape, references: 1, data, pending: null, ...way })
    const tensor: TensorInfo = { dataId, shape: [...shape], dtype: 'float32' }
    return { tensor, data }
  }

  /** Runs the pending graph if it has grown long. Between kernels only: values that one has recorded are of this graph. */
  flushIfLong(): void {
    if (this.#recorder.length > longestGraph) this.flush()
  }

  /** Runs the pending graph, so that every tensor that is alive has its values. */
  flush(): void {
    if (this.#pendingEntries.size > 0) {
      const recorder = this.#recorder
      const waiting = new Map<Value, Entry[]>()
      for (const entry of this.#pendingEntries) {
        const others = waiting.get(entry.pending!)
        if (others) others.push(entry)
        else waiting.set(entry.pending!, [entry])
      }
      const values = [...waiting.keys()]
      const take = ({ type, shape }: Value) => this.#arrays.take(type, sizeOf(shape))
      const results = this.#compiled.run(recorder, values, take)
      for (const [index, entries] of [...waiting.values()].entries()) {
        for (const entry of entries) {
          entry.data = results[index]!
          entry.pending = null
          // Two tensors may share one result (after a cast to the same type, say): then its array must not be reused.
          if (entries.length > 1) entry.recyclable = false
        }
      }
      this.#pendingEntries.clear()
    }
    this.#recorder = new Recorder()
    for (const data of this.#retired) this.#arrays.release(data)
    this.#retired = []
  }

  /** Frees the arrays and compiled graphs that are kept for reuse. */
  trim(): void {
    this.flush()
    this.#arrays.clear()
    this.#compiled.clear()
  }

  // What TensorFlow.js calls.

  override write(values: HostValues, shape: number[], dtype: DataType): object {
    const dataId = {}
    this.move(dataId, values, shape, dtype, 1)
    return dataId
  }

  override move(dataId: object, values: HostValues, shape: number[], dtype: DataType, references: number): void {
    const type = elementTypes[dtype]
    if (!type)
      throw new SecateurError('unsupported', `the onnx back end holds float32, int32 and bool tensors, not ${dtype}`)
    const data = valuesOf(values, type)
    this.#entries.set(dataId, { dtype, type, shape, references, data, pending: null, recyclable: false })
  }

  override readSync(dataId: object): HostValues {
    const entry = this.#entries.get(dataId)
    if (!entry.data) this.flush()
    // The caller may keep the array for longer than the tensor lives.
    entry.recyclable = false
    return entry.data!
  }

  override async read(dataId: object): Promise<HostValues> {
    return this.readSync(dataId)
  }

  override disposeData(dataId: object, force = false): boolean {
    if (!this.#entries.has(dataId)) return true
    const entry = this.#entries.get(dataId)
    entry.references--
    if (!force && entry.references > 0) return false
    this.#pendingEntries.delete(entry)
    const isRead = this.#recorder.length > 0 || this.#recorder.inputs.length > 0
    if (entry.data && entry.recyclable && isRead) this.#retired.push(entry.data)
    else if (entry.data && entry.recyclable) this.#arrays.release(entry.data)
    entry.release?.()
    this.#entries.delete(dataId)
    return true
  }

  override incRef(dataId: object): void {
    this.#entries.get(dataId).references++
  }

  override refCount(dataId: object): number {
    return this.#entries.has(dataId) ? this.#entries.get(dataId).references : 0
  }

  override numDataIds(): number {
    return this.#entries.numDataIds()
  }

  override async time(run: () => void): Promise<{ kernelMs: number }> {
    this.flush()
    const start = performance.now()
    run()
    this.flush()
    return { kernelMs: performance.now() - start }
  }

  override dispose(): void {
    this.trim()
  }
}
