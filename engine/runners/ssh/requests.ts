import { createInterface, type Interface } from 'node:readline'
import { SecateurError } from '../../shared/errors.ts'
import { signPatience } from './messages.ts'

/** Lines that a workstation sends, until it is gone: its end is closed, or it gives no sign of life. */
export class Requests implements Disposable {
  readonly #lines: Interface
  readonly #gone = new AbortController()
  readonly #waiting: string[] = []
  #wake: (() => void) | null = null
  #silence: NodeJS.Timeout | undefined

  constructor(input: NodeJS.ReadableStream, stopped: AbortSignal) {
    this.#lines = createInterface({ input })
    this.#lines.on('line', (line) => {
      this.#listen()
      if (line !== '') this.#waiting.push(line)
      this.#wake?.()
    })
    this.#lines.on('close', this.#leave)
    stopped.addEventListener('abort', this.#leave)
    this.#listen()
  }

  get gone(): AbortSignal {
    return this.#gone.signal
  }

  /** The next request; null once nobody is there. */
  async next(): Promise<string | null> {
    while (!this.gone.aborted) {
      const line = this.#waiting.shift()
      if (line !== undefined) return line
      await new Promise<void>((done) => (this.#wake = done))
    }
    return null
  }

  #listen(): void {
    clearTimeout(this.#silence)
    this.#silence = globalThis.setTimeout(this.#leave, signPatience)
  }

  readonly #leave = (): void => {
    this.#gone.abort(new SecateurError('interrupted', 'the workstation has gone'))
    this.#wake?.()
  };

  [Symbol.dispose](): void {
    clearTimeout(this.#silence)
    this.#lines.close()
  }
}
