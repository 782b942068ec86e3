import { Bank } from './bank.ts'

/** Bytes that are kept when nothing is held any more. */
const mostIdle = 2 ** 28

/** Arrays of zeros or of what lay there before, which are given back. Keys and values lie in them, where kernels reach them. */
export class CacheMemory {
  #bank: Bank | null = null
  readonly #free = new Map<number, Float32Array[]>()
  #held = 0
  #taken = 0

  /** An array, and what gives it back; null where there is no room for it. */
  take(size: number): { data: Float32Array; release: () => void } | null {
    const data = this.#free.get(size)?.pop() ?? this.#more(size)
    if (!data) return null
    this.#held++
    return { data, release: () => this.#release(data) }
  }

  #more(size: number): Float32Array | null {
    try {
      this.#bank ??= new Bank()
    } catch {
      return null
    }
    const bytes = this.#bank.take(4 * size)
    this.#taken += 4 * size
    return bytes && new Float32Array(bytes.buffer, bytes.byteOffset, size)
  }

  #release(data: Float32Array): void {
    const free = this.#free.get(data.length)
    if (free) free.push(data)
    else this.#free.set(data.length, [data])
    this.#held--
    if (this.#held > 0 || this.#taken <= mostIdle) return
    this.#bank = null
    this.#free.clear()
    this.#taken = 0
  }
}
