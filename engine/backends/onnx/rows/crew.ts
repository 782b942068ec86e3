import { Worker } from 'node:worker_threads'
import type { Bank } from './bank.ts'
import { controlSize, exhausted, place, workOnParts } from './crew-job.ts'
import { type ProductName, productNames } from './decode.ts'
import { kernelModule } from './kernels.ts'
import { type ProductArguments, productArguments } from './product-kernel.ts'

/** Weights of a part: some 20 microseconds of work. */
const partWeights = 2 ** 16
/** Weights of a product below which nobody is called: that takes as long. */
const fewestWeights = 2 ** 18
/** A product waits for memory, which more threads than this do not read faster. */
const mostThreads = 8
/** Memory of a thread, and of what all of them run, as measured by `npm run bench:memory`. */
const threadBytes = 28e6
const codeBytes = 14e6
/** How often it is looked whether the others are done before the thread sleeps. */
const looks = 500

/** Threads that compute products of few rows together with the one that asks for them. */
export class Crew {
  readonly #threads: number
  readonly #control = new Int32Array(new SharedArrayBuffer(4 * controlSize))
  #workers: Worker[] = []
  #told = new WeakSet<Bank>()

  /** @param threads with the one that asks */
  constructor(threads: number) {
    this.#threads = Math.min(threads, mostThreads)
    this.#control[place.next] = exhausted
  }

  /** Bytes that all of it takes. */
  get bytes(): number {
    return codeBytes + (this.#threads - 1) * threadBytes
  }

  /**
   * Computes a product; see `ProductArguments`.
   *
   * @param outputs rows of the weight, all of which are multiplied
   */
  product(bank: Bank, name: ProductName, given: Omit<ProductArguments, 'from' | 'to'>, outputs: number): void {
    const all = productArguments({ ...given, from: 0, to: 4 * outputs })
    const weights = (outputs * given.xStride) / 4
    if (this.#threads === 1 || weights < fewestWeights) return bank.kernels[name](...all)
    this.#tell(bank)
    const control = this.#control
    const rows = Math.max(1, Math.round(partWeights / (given.xStride / 4)))
    control.set(all, place.given)
    control[place.bank] = bank.id
    control[place.kernel] = productNames.indexOf(name)
    control[place.size] = 4 * outputs
    control[place.partSize] = 4 * rows
    Atomics.store(control, place.parts, Math.ceil(outputs / rows))
    Atomics.store(control, place.next, 0)
    Atomics.add(control, place.turn, 1)
    Atomics.notify(control, place.turn)
    workOnParts(control, () => bank.kernels)
    // From here on nobody begins a part; those that have begun one are waited for.
    Atomics.store(control, place.next, exhausted)
    for (let look = 0; ; look++) {
      const active = Atomics.load(control, place.active)
      if (active === 0) return
      if (look > looks) Atomics.wait(control, place.active, active)
    }
  }

  /** Threads that know of the bank. */
  #tell(bank: Bank): void {
    if (Atomics.load(this.#control, place.alive) === 0) this.#start()
    if (this.#told.has(bank)) return
    this.#told.add(bank)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    for (const worker of this.#workers) worker.postMessage({ id: bank.id, memory: bank.memory })
  }

  #start(): void {
    this.#told = new WeakSet()
    this.#workers = Array.from({ length: this.#threads - 1 }, () => {
      const workerData = { module: kernelModule(), shared: this.#control.buffer }
      const worker = new Worker(new URL('./crew-worker.ts', import.meta.url), { workerData })
      // Whoever computes here goes on alone without it.
      worker.on('error', () => {})
      worker.unref()
      return worker
    })
    Atomics.store(this.#control, place.alive, this.#workers.length)
  }
}
