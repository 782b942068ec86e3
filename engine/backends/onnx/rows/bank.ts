import { collectGarbage } from '../../../shared/collect-garbage.ts'
import { debug } from '../../../shared/log.ts'
import { type Kernels, kernelModule, kernelsOver } from './kernels.ts'
import { mostPages } from './wasm-code.ts'

const pageBytes = 2 ** 16
/** What kernels read a few bytes of beyond the end of a row. */
const slackBytes = 64
const alignment = 64

/** Where the kernels of a bank find what is multiplied, and leave what comes of it. Pages that nothing was written to cost nothing. */
export const scratch = { x: 64, xEnd: 2 ** 23, y: 2 ** 23, end: 2 ** 25 } as const

let nextBank = 1

/**
 * Memory that threads share and WebAssembly computes in, 4 GiB at most. What is taken of it is never given back: the whole is freed
 * once nothing points into it.
 */
export class Bank {
  readonly id = nextBank++
  readonly memory: WebAssembly.Memory
  readonly kernels: Kernels
  /** Scratch of the calling thread. */
  readonly floats: Float32Array
  #used: number = scratch.end

  /** @throws RangeError where the process may have no more addresses */
  constructor() {
    this.memory = new WebAssembly.Memory({ initial: scratch.end / pageBytes, maximum: mostPages, shared: true })
    this.kernels = kernelsOver(kernelModule(), this.memory)
    this.floats = new Float32Array(this.memory.buffer, 0, scratch.end / 4)
    banks.set(this.memory.buffer, this)
  }

  /** Bytes that nobody else has, or null where there is no room for them. */
  take(bytes: number): Uint8Array | null {
    const end = this.#used + bytes + slackBytes
    const more = Math.ceil(end / pageBytes) - this.memory.buffer.byteLength / pageBytes
    try {
      if (more > 0) this.memory.grow(more)
    } catch {
      return null
    }
    // A memory that has grown has a buffer of its own, beside which those before go on being used.
    banks.set(this.memory.buffer, this)
    const taken = new Uint8Array(this.memory.buffer, this.#used, bytes)
    this.#used = Math.ceil(end / alignment) * alignment
    return taken
  }
}

const banks = new WeakMap<ArrayBufferLike, Bank>()

/** The bank that an array lies in, or null. */
export const bankOf = ({ buffer }: { buffer: ArrayBufferLike }): Bank | null => banks.get(buffer) ?? null

/** Bytes of weights, since garbage was collected, for which that pays. */
const manyBytes = 2 ** 26
const freedAfter = 50
let bytesOfWeights = 0

function free(): void {
  if (bytesOfWeights <= manyBytes) return
  collectGarbage()
  bytesOfWeights = 0
}

/** Frees the weights of a model that nobody will point to in a moment. */
export const freeSoon = (): void => void setTimeout(free, freedAfter).unref()

/** Room for the weights of one model, in banks of its own as far as there are any to be had. */
export class WeightRoom {
  #bank: Bank | null = null

  take(bytes: number): Uint8Array {
    const taken = this.#bank?.take(bytes) ?? this.#inNextBank(bytes)
    bytesOfWeights += taken.length
    return taken
  }

  #inNextBank(bytes: number): Uint8Array {
    // The weights of a model before this one may be garbage.
    free()
    try {
      this.#bank = new Bank()
    } catch (error) {
      debug('rows', () => `weights lie outside of what threads share: ${String(error)}`)
    }
    return this.#bank?.take(bytes) ?? new Uint8Array(bytes)
  }
}
