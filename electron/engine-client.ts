import { type ChildProcess, fork } from 'node:child_process'
import {
  type EngineEvent,
  eventSchema,
  type Job,
  type ServiceMethod,
  serviceMethods,
  type ServiceParams,
  type ServicePart,
  serviceResponseSchema,
  type ServiceResult,
} from '../engine/contract/index.ts'
import { isDebugging } from '../engine/shared/log.ts'
import { endOf, explainEnd, type ProcessEnd } from '../engine/shared/process-end.ts'
import { ProblemError } from './problems.ts'

/** How engine processes are started. */
export interface EngineOptions {
  /** The executable of Node 24. */
  node: string
  /** The entries `run` and `service` of the engine. */
  run: string
  service: string
  /** Environment variables: what the engine's memory needs, and where a package has what it brings. */
  env: Record<string, string>
}

function start(engine: EngineOptions, entry: string): ChildProcess {
  const child = fork(entry, [], {
    execPath: engine.node,
    execArgv: [],
    env: { ...process.env, ...engine.env },
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  if (isDebugging) child.stderr?.pipe(process.stderr, { end: false })
  return child
}

interface Pending {
  method: ServiceMethod
  resolve: (result: unknown) => void
  reject: (error: Error) => void
  progress: ((done: number, total: number) => void) | undefined
  part: ((part: unknown) => void) | undefined
}

/** How a request is heard before it is answered, and cancelled. */
interface RequestControl<M extends ServiceMethod> {
  signal?: AbortSignal
  progress?: (done: number, total: number) => void
  part?: (part: ServicePart<M>) => void
}

/** Requests to the engine's service process, which is started when it is first needed and again after a crash. */
export class EngineService {
  readonly #engine: EngineOptions
  readonly #pending = new Map<number, Pending>()
  #child: ChildProcess | null = null
  #ended: Promise<void> = Promise.resolve()
  #last = 0
  #closed = false

  constructor(engine: EngineOptions) {
    this.#engine = engine
  }

  /** @throws ProblemError with what the engine says; of kind `interrupted` where the signal cancelled the request. */
  async request<M extends ServiceMethod>(
    method: M,
    params: ServiceParams<M>,
    options: RequestControl<M> = {},
  ): Promise<ServiceResult<M>> {
    options.signal?.throwIfAborted()
    const child = this.#running()
    const id = ++this.#last
    const cancel = () => void child.send({ cancel: id }, () => {})
    options.signal?.addEventListener('abort', cancel, { once: true })
    try {
      return await new Promise<ServiceResult<M>>((resolve, reject) => {
        const settle = resolve as (result: unknown) => void
        const part = options.part as ((part: unknown) => void) | undefined
        this.#pending.set(id, { method, resolve: settle, reject, progress: options.progress, part })
        child.send({ id, method, params }, (error) => {
          if (error) this.#settle(id)?.reject(error)
        })
      })
    } finally {
      options.signal?.removeEventListener('abort', cancel)
    }
  }

  /** Whether its process is there. */
  get isRunning(): boolean {
    return this.#child !== null
  }

  /** Ends its process, with all that it holds; the next request starts another one. */
  async end(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#ended
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.end()
  }

  #running(): ChildProcess {
    if (this.#closed) throw new ProblemError('interrupted', 'The app is closing.')
    if (this.#child) return this.#child
    const child = start(this.#engine, this.#engine.service)
    this.#child = child
    child.on('message', (message) => this.#answer(message))
    this.#ended = endOf(child).then((end) => {
      if (this.#child === child) this.#child = null
      const problem = new ProblemError('internal', explainEnd(end))
      for (const id of this.#pending.keys()) this.#settle(id)?.reject(problem)
    })
    return child
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    return pending
  }

  #answer(message: unknown): void {
    const response = serviceResponseSchema.safeParse(message)
    if (!response.success) return console.error('the engine sent what contract B does not know', message)
    const { data } = response
    if ('progress' in data) return this.#pending.get(data.id)?.progress?.(data.progress.done, data.progress.total)
    if ('part' in data) return this.#part(data)
    const pending = this.#settle(data.id)
    if (!pending) return
    if ('error' in data) return pending.reject(ProblemError.of(data.error))
    const result = serviceMethods[pending.method].result.safeParse(data.result)
    if (result.success) pending.resolve(result.data)
    else pending.reject(result.error)
  }

  #part({ id, part }: { id: number; part: unknown }): void {
    const pending = this.#pending.get(id)
    if (!pending?.part) return
    const schema = serviceMethods[pending.method]
    const parsed = 'part' in schema ? schema.part.safeParse(part) : null
    if (parsed?.success) pending.part(parsed.data)
    else console.error('the engine sent a part that contract B does not know', part)
  }
}

/** A run's own process. */
export class EngineRun {
  readonly pid: number
  readonly ended: Promise<ProcessEnd>
  readonly #child: ChildProcess

  constructor(engine: EngineOptions, job: Job, resume: boolean, onEvent: (event: EngineEvent) => void) {
    const child = start(engine, engine.run)
    this.ended = endOf(child)
    this.#child = child
    this.pid = child.pid ?? 0
    child.on('message', (message) => {
      const event = eventSchema.safeParse(message)
      if (event.success) onEvent(event.data)
      else console.error('the engine sent what contract B does not know', message)
    })
    child.send({ type: 'run', job, resume }, () => {})
  }

  /** Asks it to end after the current step with the state saved. */
  stop(): void {
    if (this.#child.connected) this.#child.send({ type: 'stop' }, () => {})
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
