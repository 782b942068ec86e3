import { once } from 'node:events'
import { type TransferListItem, Worker } from 'node:worker_threads'

/** Threads of one kind, each of which answers a message with a message; the order of the answers is that of the tasks. */
export class ThreadPool<Task, Answer> implements AsyncDisposable {
  readonly #idle: Worker[]
  readonly #all: readonly Worker[]
  readonly #waiting: ((worker: Worker) => void)[] = []

  /**
   * @param program what each thread runs
   * @param data what each thread is started with
   */
  constructor(program: URL, threads: number, data?: unknown) {
    this.#all = Array.from({ length: threads }, () => new Worker(program, { workerData: data }))
    // A thread that dies is told of by the task that it has.
    for (const worker of this.#all) worker.on('error', () => {})
    this.#idle = [...this.#all]
  }

  get threads(): number {
    return this.#all.length
  }

  /** @param moved what goes to the thread and is gone here */
  async run(task: Task, moved: readonly TransferListItem[] = []): Promise<Answer> {
    const worker = this.#idle.pop() ?? (await new Promise<Worker>((free) => this.#waiting.push(free)))
    const answered = once(worker, 'message') as Promise<[Answer]>
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage(task, moved)
    try {
      return (await answered)[0]
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
