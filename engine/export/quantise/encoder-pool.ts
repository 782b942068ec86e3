import { availableParallelism } from 'node:os'
import { ThreadPool } from '../../shared/thread-pool.ts'
import { encode, type Encoded, type EncodeTask } from './encode.ts'

/** Numbers below which threads cost more than they save. */
const fewNumbers = 4_000_000

/** Threads that so many numbers are encoded on; 0 where that is done without any. */
export const encodingThreads = (numbers: number, threads: number): number => (numbers < fewNumbers ? 0 : threads)

/** Encodes rows on threads, as many at once as there are; the order of the answers is that of the tasks. */
export class EncoderPool {
  readonly #threads: ThreadPool<EncodeTask, Encoded>

  /**
   * @param numbers how many numbers there will be in all
   * @param threads as many as there are cores where not given
   */
  constructor(numbers: number, threads = availableParallelism()) {
    const count = encodingThreads(numbers, threads)
    this.#threads = new ThreadPool(new URL('./encode-worker.ts', import.meta.url), count)
  }

  /** Tasks that are worth to be under way at once: one for each thread, and one that waits for each. */
  get width(): number {
    return Math.max(1, 2 * this.#threads.threads)
  }

  /** Encodes rows; the task's bytes go to the thread and are gone here. */
  async run(task: EncodeTask): Promise<Encoded> {
    if (this.#threads.threads === 0) return encode(task)
    const { bytes } = task
    const moved =
      bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
    return this.#threads.run(task, moved ? [bytes.buffer as ArrayBuffer] : [])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#threads[Symbol.asyncDispose]()
  }
}
