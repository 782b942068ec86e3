import type { FrozenWeight } from '../../frozen-weight.ts'
import type { CardBackend } from './backend.ts'

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
/** Largest buffer that is made, where the card allows it. */
const largestPart = 2 ** 30

/** Frozen weights that lie on a card, by their identity on the host. */
export class WeightStore {
  readonly #backend: CardBackend
  readonly #weights = new Map<number, CardWeight>()
  /** Bytes of weights on the card. */
  bytes = 0

  constructor(backend: CardBackend) {
    this.#backend = backend
  }

  /** The weight on the card, uploaded if it is not there. */
  get(weight: FrozenWeight): CardWeight {
    const known = this.#weights.get(weight.id)
    if (known) return known
    const uploaded = upload(this.#backend.device, weight)
    this.#weights.set(weight.id, uploaded)
    this.bytes += uploaded.bytes
    // The card's memory goes back when the handle is collected on the host.
    collected.register(weight, { store: this, id: weight.id })
    return uploaded
  }

  delete(id: number): void {
    const weight = this.#weights.get(id)
    if (!weight) return
    this.#weights.delete(id)
    this.bytes -= weight.bytes
    for (const { buffer } of weight.parts) buffer.destroy()
    weight.scales?.destroy()
  }
}

const collected = new FinalizationRegistry<{ store: WeightStore; id: number }>(({ store, id }) => store.delete(id))

function upload(device: GPUDevice, weight: FrozenWeight): CardWeight {
  const { rows, columns, data } = weight
  const bytesPerRow = columns * data.BYTES_PER_ELEMENT
  const most = Math.min(largestPart, device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize)
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

export function weightsOf(backend: CardBackend): WeightStore {
  let store = stores.get(backend)
  if (!store) stores.set(backend, (store = new WeightStore(backend)))
  return store
}
