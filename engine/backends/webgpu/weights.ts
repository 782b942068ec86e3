import {
  type FrozenWeight,
  type HeldWeight,
  inMemory,
  rowBytes,
  rowsOf,
  weightBytes,
} from '../../tensor/frozen-weight.ts'
import { type CardBackend, readBuffer } from './backend.ts'

/** Some rows of a frozen weight in a buffer of their own, as words of 32 bits. */
export interface WeightPart {
  buffer: GPUBuffer
  start: number
  rows: number
}

/** A frozen weight on the card. */
export interface CardWeight {
  parts: WeightPart[]
  /** Elements from one row to the next: rows are filled up with zeros, so that each begins at a whole vector of eight. */
  stride: number
  /** Scales of the rows of an int8 weight, float32. */
  scales: GPUBuffer | null
  /** Power of two that brings the largest value of an int8 weight near 1, so that 16-bit floats hold it well; 1 for others. */
  boost: number
  bytes: number
}

const usage = () => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC
/** Bytes that are read and sent at once. */
const sliceBytes = 2 ** 24
/** Bytes of uploads that may be unfinished while a model is loaded: the driver keeps a copy of them. */
const mostOnTheWay = 2 ** 28

/**
 * Frozen weights on a card, by the id of the weight. Where they do not all fit, the least recently used ones are evicted. A
 * block's weights are uploaded while the card computes the block before it. A backward pass needs them in the opposite order
 * and finds the last ones on the card.
 *
 * The host keeps no copy of a weight that stays in its file: an evicted one is read again, from the system's file cache if that
 * is large enough. Only int8 weights that do not fit are kept, because quantising them again takes longer than uploading.
 */
export class WeightStore {
  readonly #backend: CardBackend
  /** In the order of their last use. */
  readonly #weights = new Map<number, CardWeight>()
  /** Int8 weights that do not stay on the card, held on the host. */
  readonly #kept = new Map<number, HeldWeight>()
  /** Ids of weights that were evicted: they will be uploaded again. */
  readonly #evicted = new Set<number>()
  readonly #watched = new WeakSet<FrozenWeight>()
  /** Bytes of card memory that weights may take. */
  readonly budget: number
  /** Bytes of weights on the card, and bytes that were uploaded in all. */
  bytes = 0
  uploaded = 0
  /** Weights that were taken off the card. */
  taken = 0
  readonly #largestPart: number
  #evictedSinceWait = 0
  #placedSinceWait = 0

  /** @param options.largestPart bytes of a buffer at most; larger weights are split by rows */
  constructor(backend: CardBackend, options: { budget?: number; largestPart?: number } = {}) {
    const { maxStorageBufferBindingSize, maxBufferSize } = backend.device.limits
    this.#backend = backend
    this.budget = options.budget ?? weightBudget(backend.card.memoryBytes)
    this.#largestPart = Math.min(options.largestPart ?? 2 ** 30, maxStorageBufferBindingSize, maxBufferSize)
  }

  /** Bytes of weights that are kept on the host. */
  get hostBytes(): number {
    return [...this.#kept.values()].reduce((sum, weight) => sum + weightBytes(weight), 0)
  }

  /** The weight on the card, uploaded if it is not there. */
  get(weight: FrozenWeight): CardWeight {
    const found = this.#weights.get(weight.id)
    if (!found) {
      this.#makeRoom(bytesOnCard(weight))
      return this.#upload(weight)
    }
    this.#weights.delete(weight.id)
    this.#weights.set(weight.id, found)
    return found
  }

  /** Uploads a weight of a model that is being loaded, if there is room; otherwise prepares it for streaming. */
  place(weight: FrozenWeight): void {
    const bytes = bytesOnCard(weight)
    if (this.bytes + bytes > this.budget) return this.#prepare(weight)
    this.#upload(weight)
    this.#placedSinceWait += bytes
    if (this.#placedSinceWait <= mostOnTheWay) return
    waitFor(this.#backend)
    this.#placedSinceWait = 0
  }

  /** Reads a weight once, which checks its file. */
  #prepare(weight: FrozenWeight): void {
    if (!('read' in weight)) return
    if (weight.form === 'int8') return this.#keep(weight)
    for (const { first, count } of slicesOf(weight, 0, weight.rows)) weight.read(first, count)
  }

  #keep(weight: FrozenWeight): void {
    this.#kept.set(weight.id, inMemory(weight))
    this.#watch(weight)
  }

  /** Frees what is held of a weight when its handle is garbage collected. */
  #watch(weight: FrozenWeight): void {
    if (this.#watched.has(weight)) return
    this.#watched.add(weight)
    collected.register(weight, { store: this, id: weight.id })
  }

  #upload(weight: FrozenWeight): CardWeight {
    if ('read' in weight && weight.form === 'int8' && this.#evicted.has(weight.id)) this.#keep(weight)
    const uploaded = upload(this.#backend.device, this.#kept.get(weight.id) ?? weight, this.#largestPart)
    this.bytes += uploaded.bytes
    this.uploaded += uploaded.bytes
    this.#weights.set(weight.id, uploaded)
    this.#watch(weight)
    return uploaded
  }

  /** Frees what is held of a weight, on the host and on the card. */
  delete(id: number): void {
    this.#kept.delete(id)
    this.#evicted.delete(id)
    this.#takeOff(id)
  }

  /** Frees a weight on the card. */
  #takeOff(id: number): void {
    const weight = this.#weights.get(id)
    if (!weight) return
    // Recorded work may read it. Once that is submitted, the driver keeps the memory until it is done. `send` does not throw:
    // the garbage collector calls this too, where nobody could catch an error.
    this.#backend.send()
    this.#weights.delete(id)
    this.taken++
    this.bytes -= weight.bytes
    for (const { buffer } of weight.parts) buffer.destroy()
    weight.scales?.destroy()
  }

  #makeRoom(bytes: number): void {
    for (const [id, weight] of this.#weights) {
      if (this.bytes + bytes <= this.budget) break
      this.#takeOff(id)
      this.#evicted.add(id)
      this.#evictedSinceWait += weight.bytes
    }
    // The host must not run ahead of the card by more than this: evicted memory is free only once the card is done with it.
    if (this.#evictedSinceWait <= this.budget / 4) return
    waitFor(this.#backend)
    this.#evictedSinceWait = 0
  }
}

/** Share of the card's memory that weights may take; the rest is for activations, the adapter and the driver. */
export const weightBudget = (memoryBytes: number | null): number => (memoryBytes ?? Number.POSITIVE_INFINITY) * 0.7

/** Blocks until the card has finished everything that was submitted. */
function waitFor(backend: CardBackend): void {
  const buffer = backend.device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_SRC })
  readBuffer(backend, buffer)
  buffer.destroy()
}

const collected = new FinalizationRegistry<{ store: WeightStore; id: number }>(({ store, id }) => store.delete(id))

const strideOf = (columns: number): number => 8 * Math.ceil(columns / 8)

/** Bytes that a weight takes on the card. */
const bytesOnCard = ({ form, rows, columns }: FrozenWeight): number =>
  weightBytes({ form, rows, columns: strideOf(columns) })

/** Splits `rows` rows from `first` into pieces that are read and uploaded at once. */
function* slicesOf(weight: FrozenWeight, first: number, rows: number): Generator<{ first: number; count: number }> {
  const most = Math.max(1, Math.floor(sliceBytes / rowBytes(weight)))
  for (let at = 0; at < rows; at += most) yield { first: first + at, count: Math.min(most, rows - at) }
}

function upload(device: GPUDevice, weight: FrozenWeight, most: number): CardWeight {
  const { rows, columns, form } = weight
  const stride = strideOf(columns)
  const bytesPerRow = rowBytes({ form, columns: stride })
  // Parts begin where packed rows of a transposed product's input have a whole vector.
  const rowsPerPart = Math.max(8, Math.floor(most / bytesPerRow / 8) * 8)
  if (rowsPerPart * bytesPerRow > most)
    throw new Error(`rows of ${columns} elements are too long for this graphics card`)
  const parts: WeightPart[] = []
  const scales = form === 'int8' ? new Float32Array(rows) : null
  let bytes = 0
  for (let start = 0; start < rows; start += rowsPerPart) {
    const count = Math.min(rowsPerPart, rows - start)
    const buffer = newBuffer(device, count * bytesPerRow)
    for (const slice of slicesOf(weight, start, count)) {
      const held = rowsOf(weight, slice.first, slice.count)
      write(device, buffer, (slice.first - start) * bytesPerRow, withStride(held, stride))
      if (scales && held.form === 'int8') scales.set(held.scales, slice.first)
    }
    parts.push({ buffer, start, rows: count })
    bytes += buffer.size
  }
  if (!scales) return { parts, stride, scales, boost: 1, bytes }
  const scaleBuffer = newBuffer(device, scales.byteLength)
  write(device, scaleBuffer, 0, scales)
  const largest = scales.reduce((top, scale) => Math.max(top, scale), 0)
  const boost = largest > 0 ? 2 ** -Math.ceil(Math.log2(127 * largest)) : 1
  return { parts, stride, scales: scaleBuffer, boost, bytes: bytes + scaleBuffer.size }
}

/** The rows of a weight, each filled up with zeros. */
function withStride({ data, rows, columns }: HeldWeight, stride: number): HeldWeight['data'] {
  if (stride === columns) return data
  const filled = new (data.constructor as new (length: number) => typeof data)(rows * stride)
  for (let row = 0; row < rows; row++) filled.set(data.subarray(row * columns, (row + 1) * columns), row * stride)
  return filled
}

const newBuffer = (device: GPUDevice, bytes: number): GPUBuffer =>
  device.createBuffer({ size: Math.max(16, bytes), usage: usage() })

const write = (
  device: GPUDevice,
  buffer: GPUBuffer,
  at: number,
  { buffer: of, byteOffset, byteLength }: HeldWeight['data'],
) => device.queue.writeBuffer(buffer, at, of as ArrayBuffer, byteOffset, byteLength)

const stores = new WeakMap<CardBackend, WeightStore>()

/** Replaces the weight store of a card, for tests with a budget of their own. */
export const setWeightStore = (backend: CardBackend, store: WeightStore): void => void stores.set(backend, store)

export function weightsOf(backend: CardBackend): WeightStore {
  let store = stores.get(backend)
  if (!store) stores.set(backend, (store = new WeightStore(backend)))
  return store
}
