import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { encode, type Encoded, type EncodeTask } from './encode.ts'

/** Numbers below which threads cost more than they save. */
const fewNumbers = 4_000_000

/** Encodes rows on threads, as many at once as there are; the order of the answers is that of the tasks. */
export class EncoderPool {
  readonly #idle: Worker[]
  readonly #all: readonly Worker[]
  #waiting: ((worker: Worker) => void)[] = []

  /**
   * @param numbers how many numbers there will be in all
   * @param threads as many as there are cores where not given
   */
  constructor(numbers: number, threads = availableParallelism()) {
    const count = numbers < fewNumbers ? 0 : threads
    this.#all = Array.from({ length: count }, () => new Worker(new URL('./encode-worker.ts', import.meta.url)))
    // A thread that dies is told of by the task that it has.
    for (const worker of this.#all) worker.on('error', () => {})
    this.#idle = [...this.#all]
  }

  /** Tasks that are worth to be under way at once: one for each thread, and one that waits for each. */
  get width(): number {
    return Math.max(1, 2 * this.#all.length)
  }

  /** Encodes rows; the task's bytes go to the thread and are gone here. */
  async run(task: EncodeTask): Promise<Encoded> {
    if (this.#all.length === 0) return encode(task)
    const worker = this.#idle.pop() ?? (await new Promise<Worker>((free) => this.#waiting.push(free)))
    const answer = once(worker, 'message') as Promise<[Encoded]>
    const { bytes } = task
    const moved =
      bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage(task, moved ? [bytes.buffer as ArrayBuffer] : [])
    try {
      const [encoded] = await answer
      return encoded
    } finally {
      const next = this.#waiting.shift()
      if (next) next(worker)
      else this.#idle.push(worker)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((worker) => worker.terminate()))
  }
}
