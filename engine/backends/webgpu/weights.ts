import { type FrozenWeight, weightBytes } from '../../frozen-weight.ts'
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
  /** Scales of the rows of an int8 weight, float32. */
  scales: GPUBuffer | null
  bytes: number
}

const usage = () => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC
/** Bytes that are sent at once: the driver keeps a copy of what is on its way. */
const sliceBytes = 2 ** 26

/**
 * Frozen weights that lie on a card, by their identity on the host. Where they do not all fit, the ones that were used longest
 * ago make room. What is uploaded is sent while the card still computes what was recorded before, so a block's weights travel
 * while the block before it computes; a backward pass meets them in the opposite order and finds the last ones there.
 */
export class WeightStore {
  readonly #backend: CardBackend
  /** In the order of their last use. */
  readonly #weights = new Map<number, CardWeight>()
  /** Bytes that weights may take. */
  readonly budget: number
  /** Bytes of weights on the card, and bytes that were uploaded in all. */
  bytes = 0
  uploaded = 0
  readonly #largestPart: number
  #evictedSinceWait = 0

  /** @param options.largestPart bytes of a buffer at most; larger weights are split by rows */
  constructor(backend: CardBackend, options: { budget?: number; largestPart?: number } = {}) {
    const { maxStorageBufferBindingSize, maxBufferSize } = backend.device.limits
    this.#backend = backend
    this.budget = options.budget ?? weightBudget(backend.card.memoryBytes)
    this.#largestPart = Math.min(options.largestPart ?? 2 ** 30, maxStorageBufferBindingSize, maxBufferSize)
  }

  /** The weight on the card, uploaded if it is not there. */
  get(weight: FrozenWeight): CardWeight {
    let found = this.#weights.get(weight.id)
    if (found) {
      this.#weights.delete(weight.id)
    } else {
      this.#makeRoom(weightBytes(weight))
      found = upload(this.#backend.device, weight, this.#largestPart)
      this.bytes += found.bytes
      this.uploaded += found.bytes
      // The card's memory goes back when the handle is collected on the host.
      collected.register(weight, { store: this, id: weight.id })
    }
    this.#weights.set(weight.id, found)
    return found
  }

  delete(id: number): void {
    const weight = this.#weights.get(id)
    if (!weight) return
    // What is recorded may read it; once that is sent, the driver keeps the memory until it is done. The garbage collector
    // comes here too, where an error of the card would be nobody's to catch.
    this.#backend.send()
    this.#weights.delete(id)
    this.bytes -= weight.bytes
    for (const { buffer } of weight.parts) buffer.destroy()
    weight.scales?.destroy()
  }

  #makeRoom(bytes: number): void {
    for (const [id, weight] of this.#weights) {
      if (this.bytes + bytes <= this.budget) break
      this.delete(id)
      this.#evictedSinceWait += weight.bytes
    }
    // The host must not run ahead of the card by more than this, since memory comes back only as the card gets there.
    if (this.#evictedSinceWait <= this.budget / 4) return
    waitFor(this.#backend)
    this.#evictedSinceWait = 0
  }
}

/** Share of the card's memory that weights may take; the rest is for activations, the adapter and the driver. */
export const weightBudget = (memoryBytes: number | null): number => (memoryBytes ?? Number.POSITIVE_INFINITY) * 0.7

/** Waits until the card has done everything that was sent to it. */
function waitFor(backend: CardBackend): void {
  const buffer = backend.device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_SRC })
  readBuffer(backend, buffer)
  buffer.destroy()
}

const collected = new FinalizationRegistry<{ store: WeightStore; id: number }>(({ store, id }) => store.delete(id))

function upload(device: GPUDevice, weight: FrozenWeight, most: number): CardWeight {
  const { rows, columns, data } = weight
  const bytesPerRow = columns * data.BYTES_PER_ELEMENT
  // Parts begin at whole words.
  const rowsPerPart = Math.max(4, Math.floor(most / bytesPerRow / 4) * 4)
  if (rowsPerPart * bytesPerRow > most)
    throw new Error(`rows of ${columns} elements are too long for this graphics card`)
  const parts: WeightPart[] = []
  let bytes = 0
  for (let start = 0; start < rows; start += rowsPerPart) {
    const count = Math.min(rowsPerPart, rows - start)
    const values = data.subarray(start * columns, (start + count) * columns)
    const buffer = uploadBytes(device, new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    parts.push({ buffer, start, rows: count })
    bytes += buffer.size
  }
  const scales =
    weight.form === 'int8'
      ? uploadBytes(device, new Uint8Array(weight.scales.buffer, weight.scales.byteOffset, weight.scales.byteLength))
      : null
  return { parts, scales, bytes: bytes + (scales?.size ?? 0) }
}

function uploadBytes(device: GPUDevice, bytes: Uint8Array): GPUBuffer {
  const whole = bytes.byteLength - (bytes.byteLength % 4)
  const buffer = device.createBuffer({ size: Math.max(16, 4 * Math.ceil(bytes.byteLength / 4)), usage: usage() })
  for (let start = 0; start < whole; start += sliceBytes)
    device.queue.writeBuffer(
      buffer,
      start,
      bytes as Uint8Array<ArrayBuffer>,
      start,
      Math.min(sliceBytes, whole - start),
    )
  if (whole < bytes.byteLength) {
    const last = new Uint8Array(4)
    last.set(bytes.subarray(whole))
    device.queue.writeBuffer(buffer, whole, last)
  }
  return buffer
}

const stores = new WeakMap<CardBackend, WeightStore>()

/** Takes another store for the weights of a card, with a budget of its own. */
export const setWeightStore = (backend: CardBackend, store: WeightStore): void => void stores.set(backend, store)

export function weightsOf(backend: CardBackend): WeightStore {
  let store = stores.get(backend)
  if (!store) stores.set(backend, (store = new WeightStore(backend)))
  return store
}
