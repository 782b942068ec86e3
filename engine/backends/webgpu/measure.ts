import type { FrozenForm, FrozenWeight } from '../../tensor/frozen-weight.ts'
import { tf } from '../../tensor/tf.ts'
import { arithmeticsOf, nameOf } from './arithmetic.ts'
import { type CardBackend, readBuffer } from './backend.ts'
import { product } from './kernels/product.ts'
import { weightsOf } from './weights.ts'

/** The back end in use, where it is a graphics card. */
export const currentCard = (): CardBackend | null =>
  tf.getBackend() === 'webgpu' ? (tf.backend() as unknown as CardBackend) : null

/** Bytes in use on the card: weights, and buffers of tensors, including those that are kept for reuse. */
export const cardBytes = (card: CardBackend): number => card.bufferManager.numBytesAllocated + weightsOf(card).bytes

export interface ProductSpeed {
  arithmetic: string
  form: FrozenForm
  transposed: boolean
  /** x [m, k] times a weight [n, k], or x [m, n] times it where transposed. */
  shape: [m: number, n: number, k: number]
  teraflops: number
}

/** Speed of x W^T and x W for every kind of product that the card supports. */
export function measureProducts(
  card: CardBackend,
  m: number,
  weights: readonly FrozenWeight[],
  repeats: number,
): ProductSpeed[] {
  const speeds: ProductSpeed[] = []
  for (const arithmetic of arithmeticsOf(card))
    for (const weight of weights)
      for (const transposed of [false, true]) {
        const { rows: n, columns: k, form } = weight
        const x = tf.randomUniform([m, transposed ? n : k], -1, 1)
        const seconds = fastest(card, repeats, () => {
          const y = product(card, x, weight, { transposed, arithmetic })
          card.disposeData(y.dataId)
        })
        x.dispose()
        const teraflops = (2 * m * n * k) / seconds / 1e12
        speeds.push({ arithmetic: nameOf(arithmetic), form, transposed, shape: [m, n, k], teraflops })
      }
  for (const weight of weights) weightsOf(card).delete(weight.id)
  return speeds
}

export interface CopySpeeds {
  uploadGigabytesPerSecond: number
  downloadGigabytesPerSecond: number
  onCardGigabytesPerSecond: number
}

/** Speed of copies of so many bytes, a multiple of 4: to the card, from it, and on it (read and written bytes both count). */
export function measureCopies(card: CardBackend, bytes: number, repeats: number): CopySpeeds {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC
  const [from, to] = [0, 1].map(() => card.device.createBuffer({ size: bytes, usage })) as [GPUBuffer, GPUBuffer]
  const host = new Uint8Array(bytes)
  const upload = fastest(card, repeats, () => card.device.queue.writeBuffer(from, 0, host))
  const copy = fastest(card, repeats, () => {
    const encoder = card.device.createCommandEncoder()
    encoder.copyBufferToBuffer(from, 0, to, 0, bytes)
    card.device.queue.submit([encoder.finish()])
  })
  let download = Number.POSITIVE_INFINITY
  for (let i = 0; i < repeats; i++) {
    const started = performance.now()
    readBuffer(card, from)
    download = Math.min(download, (performance.now() - started) / 1000)
  }
  from.destroy()
  to.destroy()
  return {
    uploadGigabytesPerSecond: bytes / upload / 1e9,
    downloadGigabytesPerSecond: bytes / download / 1e9,
    onCardGigabytesPerSecond: (2 * bytes) / copy / 1e9,
  }
}

/** Seconds that work is repeated for: a card that was idle takes some hundredths to come to its speed, and asking it costs. */
const busySeconds = 0.05
const mostAtOnce = 256

/** Seconds of the fastest of some repeats, after one that compiles and uploads and one that says how often is long enough. */
function fastest(card: CardBackend, repeats: number, work: () => void): number {
  const fence = card.device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_SRC })
  const timed = (times: number) => {
    const started = performance.now()
    for (let i = 0; i < times; i++) work()
    readBuffer(card, fence)
    return (performance.now() - started) / 1000 / times
  }
  timed(1)
  const times = Math.min(mostAtOnce, Math.ceil(busySeconds / timed(1)))
  const seconds = Math.min(...Array.from({ length: repeats }, () => timed(times)))
  fence.destroy()
  return seconds
}
