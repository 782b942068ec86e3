import type { ChildProcess } from 'node:child_process'
import { SecateurError } from '../shared/errors.ts'
import { endOf, explainEnd } from '../shared/process-end.ts'
import { startProcess } from './child.ts'
import type { LlamaCpp } from './installed.ts'
import {
  loadedSchema,
  type RequestInput,
  responseSchema,
  type StartedOn,
  startedSchema,
  type ToldToken,
  type Wrote,
  wroteSchema,
} from './messages.ts'
import { z } from 'zod'

/** A request without its number. */
type Asked<Kind extends RequestInput['do']> = Omit<Extract<RequestInput, { do: Kind }>, 'do' | 'request'>

interface Pending {
  resolve: (result: unknown) => void
  reject: (error: Error) => void
  onToken: ((token: ToldToken) => void) | undefined
  onShare: ((share: number) => void) | undefined
}

const remedy = 'Run the model on Secateur itself (--runner secateur).'

/** llama.cpp in a process of its own, and one GGUF file on it. */
export class LlamaCppModel implements Disposable {
  readonly #child: ChildProcess
  readonly #pending = new Map<number, Pending>()
  #file: string | undefined
  #last = 0
  #ended: Error | null = null
  /** What it computes on. */
  on: StartedOn = { cards: [], freeBytes: 0, unified: false }
  /** Of the weights. */
  bytes = 0

  private constructor() {
    this.#child = startProcess(new URL('./model-process.ts', import.meta.url))
    this.#child.on('message', (message) => this.#hear(message))
    void endOf(this.#child).then((end) => {
      this.#ended = new SecateurError(
        'unsupported',
        `${explainEnd(end, 'llama.cpp', 'Take a smaller type, a shorter prompt or fewer new tokens.')} ${remedy}`,
        { file: this.#file },
      )
      for (const id of this.#pending.keys()) this.#settle(id)?.reject(this.#ended)
    })
    process.once('exit', this.#kill)
  }

  /**
   * Starts its process, and llama.cpp in it: what computes is known before a file is loaded.
   *
   * @throws SecateurError with what the library or the system says, where it does not start here
   */
  static async start({ addon }: Pick<LlamaCpp, 'addon'>, { signal }: { signal: AbortSignal }): Promise<LlamaCppModel> {
    using made = new DisposableStack()
    const model = made.use(new LlamaCppModel())
    model.on = startedSchema.parse(await model.#ask('start', { addon }, { signal, ends: true }))
    made.move()
    return model
  }

  /**
   * Loads a file, once.
   *
   * @param control.onShare hears which part of the weights is loaded
   * @throws SecateurError with what llama.cpp says, where it cannot
   */
  async load(
    file: string,
    { signal, onShare }: { signal: AbortSignal; onShare?: (share: number) => void },
  ): Promise<void> {
    this.#file = file
    this.bytes = loadedSchema.parse(await this.#ask('load', { file }, { signal, onShare, ends: true })).bytes
  }

  /**
   * Continues a prompt. Once the signal is aborted it ends with what is written.
   *
   * @throws SecateurError where llama.cpp fails or its process ends
   */
  async write(
    asked: Asked<'write'>,
    { signal, onToken }: { signal: AbortSignal; onToken?: (token: ToldToken) => void },
  ): Promise<Wrote> {
    return wroteSchema.parse(await this.#ask('write', asked, { signal, onToken }))
  }

  /** Log-probabilities of all tokens of a text but the first. @throws SecateurError as `write` does */
  async score(text: number[], threads: number, signal: AbortSignal): Promise<number[]> {
    const values = z.array(z.number()).parse(await this.#ask('score', { text, threads }, { signal }))
    signal.throwIfAborted()
    return values
  }

  /** @param hearing.ends whether an abort ends the process: neither starting nor loading can be told to stop */
  async #ask<Kind extends 'start' | 'load' | 'write' | 'score'>(
    kind: Kind,
    asked: Asked<Kind>,
    {
      signal,
      onToken,
      onShare,
      ends = false,
    }: {
      signal: AbortSignal
      onToken?: Pending['onToken']
      onShare?: Pending['onShare']
      ends?: boolean
    },
  ): Promise<unknown> {
    signal.throwIfAborted()
    if (this.#ended) throw this.#ended
    const request = ++this.#last
    const cancel = () => {
      if (!ends) return void this.#child.send({ do: 'cancel', request }, () => {})
      this.#settle(request)?.reject(signal.reason as Error)
      this.#kill()
    }
    signal.addEventListener('abort', cancel, { once: true })
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(request, { resolve, reject, onToken, onShare })
        this.#child.send({ do: kind, request, ...asked }, (error) => {
          if (error && this.#ended === null) this.#settle(request)?.reject(error)
        })
      })
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }

  #hear(message: unknown): void {
    const response = responseSchema.parse(message)
    if ('tokens' in response) {
      const onToken = this.#pending.get(response.request)?.onToken
      for (const token of response.tokens) onToken?.(token)
      return
    }
    if ('share' in response) return this.#pending.get(response.request)?.onShare?.(response.share)
    const pending = this.#settle(response.request)
    if ('error' in response)
      pending?.reject(new SecateurError('unsupported', `llama.cpp: ${response.error}`, { file: this.#file }))
    else pending?.resolve(response.result)
  }

  #settle(request: number): Pending | undefined {
    const pending = this.#pending.get(request)
    this.#pending.delete(request)
    return pending
  }

  /** Whether its process has ended: it can be asked nothing more. */
  get hasEnded(): boolean {
    return this.#ended !== null
  }

  /** Of its process. */
  get pid(): number | undefined {
    return this.#child.pid
  }

  readonly #kill = (): void => {
    this.#child.kill('SIGKILL')
  };

  /** Ends the process, and with it all that it holds. */
  [Symbol.dispose](): void {
    process.off('exit', this.#kill)
    this.#kill()
  }
}
