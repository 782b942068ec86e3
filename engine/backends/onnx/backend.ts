import { SecateurError } from '../../shared/errors.ts'
import { type DataType, tf, type TensorInfo } from '../../tensor/tf.ts'
import { offerExtras } from '../extras.ts'
import { allocate, ArrayPool, type HostValues, valuesOf } from './array-pool.ts'
import { CompiledGraphs } from './compiled-graphs.ts'
import type { ElementType } from './model-proto.ts'
import { Recorder, sizeOf, type Value } from './recorder.ts'

interface Entry {
  dtype: DataType
  type: ElementType
  /** Shape in which the value was made; a reshaped tensor shares the entry. */
  shape: readonly number[]
  references: number
  /** The computed value; null while a node of the pending graph still has to compute it. */
  data: HostValues | null
  pending: Value | null
  /** Whether the array may be reused once the tensor is disposed of: no caller holds it. */
  recyclable: boolean
}

const elementTypes: Partial<Record<DataType, ElementType>> = { float32: 'float32', int32: 'int32', bool: 'bool' }

/** The graph runs when it has this many nodes, so that a loop that never reads a value does not fill memory. */
const longestGraph = 4096

/**
 * A TensorFlow.js back end on ONNX Runtime. Kernels append nodes to a pending graph; `flush` (called when data is read, or
 * at the end of a block) runs it with every tensor that is still alive as an output. Compiled graphs are kept by structure.
 */
export class OnnxBackend extends tf.KernelBackend {
  readonly threads: number
  readonly #compiled: CompiledGraphs
  readonly #entries: {
    get(id: object): Entry
    set(id: object, entry: Entry): void
    has(id: object): boolean
    delete(id: object): boolean
    numDataIds(): number
  }
  readonly #pendingEntries = new Set<Entry>()
  readonly #arrays = new ArrayPool()
  /** Arrays of disposed tensors that the pending graph still reads. */
  #retired: HostValues[] = []
  #recorder = new Recorder()

  constructor(options: { threads: number }) {
    super()
    this.threads = options.threads
    this.#compiled = new CompiledGraphs(options.threads)
    this.#entries = new tf.DataStorage<Entry>(this, tf.engine())
    offerExtras(this, { flush: () => this.flush() })
  }

  /** The graph that kernels record into. */
  get graph(): Recorder {
    return this.#recorder
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
    const data = this.#arrays.take('float32', sizeOf(shape)) as Float32Array
    const dataId = {}
    const held = { references: 1, data, pending: null, recyclable: true }
    this.#entries.set(dataId, { dtype: 'float32', type: 'float32', shape, ...held })
    return { tensor: { dataId, shape: [...shape], dtype: 'float32' }, data }
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
    if (entry.data && entry.recyclable) this.#retired.push(entry.data)
    if (this.#recorder.length === 0 && this.#recorder.inputs.length === 0 && this.#retired.length > 0) this.flush()
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

  override memory(): { unreliable: boolean } {
    return { unreliable: false }
  }

  override floatPrecision(): 16 | 32 {
    return 32
  }

  override epsilon(): number {
    return 1e-7
  }

  override timerAvailable(): boolean {
    return true
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
