import type {
  LoadedModel,
  Written,
  WrittenPiece,
  WritingInput,
  WritingModel,
  WritingSettings,
} from '../../engine/contract/index.ts'
import type { WorkControl } from '../../engine/shared/work-control.ts'
import type { PlaygroundState } from '../contract/index.ts'
import { EngineService } from '../engine-client.ts'
import type { Context } from './context.ts'
import { machineOf } from './machine.ts'

/** Milliseconds without a question after which the models are released. */
const idleFor = 10 * 60_000

/** A model with the entry of the library that it is. */
export interface KnownModel extends WritingModel {
  checkpointId: number
  name: string
}

const isSame = (one: WritingModel, other: WritingModel): boolean =>
  one.checkpoint === other.checkpoint &&
  one.adapter === other.adapter &&
  one.runner === other.runner &&
  one.type === other.type

/** The process in which models stay loaded between questions. It ends when nothing was asked for a while. */
export class PlaygroundProcess {
  readonly #context: Context
  readonly #service: EngineService
  readonly #changed: () => void
  #known: KnownModel[] = []
  #held: PlaygroundState['models'] = []
  #memoryBytes: number | null = null
  #machine = ''
  #busy = 0
  #releaseAt: number | null = null
  #timer: NodeJS.Timeout | undefined

  /** @param changed called when what is held has changed */
  constructor(context: Context, changed: () => void) {
    this.#context = context
    this.#service = new EngineService(context.options.engine)
    this.#changed = changed
  }

  get isBusy(): boolean {
    return this.#busy > 0
  }

  get state(): Pick<PlaygroundState, 'models' | 'memoryBytes' | 'releaseAt'> {
    if (!this.#service.isRunning) return { models: [], memoryBytes: null, releaseAt: null }
    return { models: this.#held, memoryBytes: this.#memoryBytes, releaseAt: this.#releaseAt }
  }

  /** Works with the models; none of them is released for being idle meanwhile. */
  async use<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#busy++
    this.#releaseAt = null
    clearTimeout(this.#timer)
    try {
      return await work()
    } finally {
      this.#busy--
      if (this.#busy === 0 && this.#service.isRunning) {
        this.#releaseAt = Date.now() + idleFor
        this.#timer = setTimeout(() => this.#context.inBackground(this.end()), idleFor)
        this.#timer.unref()
      }
      this.#changed()
    }
  }

  /** @param keep models that are asked for too, and are not released for this one */
  async load(model: KnownModel, keep: readonly KnownModel[], control: WorkControl): Promise<LoadedModel> {
    const machine = machineOf(this.#context.settings())
    // A process has one back end.
    if (this.#machine !== JSON.stringify(machine)) await this.#service.end()
    this.#machine = JSON.stringify(machine)
    this.#known = [...this.#known.filter((known) => !isSame(known, model)), model]
    const loaded = await this.#service.request(
      'loadModel',
      { model: modelOf(model), keep: keep.map(modelOf), ...machine },
      control,
    )
    await this.#look()
    return loaded
  }

  async write(
    model: KnownModel,
    input: WritingInput,
    settings: WritingSettings,
    control: { signal: AbortSignal; part: (piece: WrittenPiece) => void },
  ): Promise<Written> {
    const written = await this.#service.request('writeText', { model: modelOf(model), input, settings }, control)
    await this.#look()
    return written
  }

  /** Releases the models that read from a path. */
  async release(path: string): Promise<void> {
    if (!this.#service.isRunning) return
    await this.#service.request('releaseModels', { paths: [path] })
    await this.#look()
  }

  /** Ends the process with all that it holds. */
  async end(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#service.end()
    this.#known = []
    this.#changed()
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#service.close()
  }

  /** Asks what is held. */
  async #look(): Promise<void> {
    const { models, memoryBytes } = await this.#service.request('releaseModels', { paths: [] })
    this.#memoryBytes = memoryBytes
    this.#held = models.flatMap(({ weightBytes, ran, ...model }) => {
      const known = this.#known.find((each) => isSame(each, model))
      return known ? [{ checkpointId: known.checkpointId, name: known.name, weightBytes, ran }] : []
    })
    this.#changed()
  }
}

const modelOf = ({ checkpoint, adapter, runner, type }: KnownModel): WritingModel => ({
  checkpoint,
  runner,
  ...(adapter !== undefined && { adapter }),
  ...(type !== undefined && { type }),
})
