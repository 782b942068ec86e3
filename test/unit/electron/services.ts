import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import {
  type Answer,
  type AppEvent,
  type EventName,
  events,
  type Events,
  type Method,
  methods,
  type Problem,
  type Request,
  type RunDetail,
  type RunSummary,
  type RunState,
} from '../../../electron/contract/index.ts'
import { samplesIn } from '../../../electron/host/samples.ts'
import type { Platform } from '../../../electron/platform.ts'
import { openServices } from '../../../electron/services/index.ts'
import type { ServiceOptions, Services } from '../../../electron/services/types.ts'

export const root = join(import.meta.dirname, '../../..')
export const sample = join(root, 'resources/sample')

/** A host without windows: what it was told is written down. */
export class TestPlatform implements Platform {
  readonly host = 'headless'
  readonly nativeDialogs = false
  readonly canOpenFolders = false
  allowedFolders: string[] | null = null
  absentFolders: string[] = []
  readonly notifications: [title: string, body: string, runId: number][] = []
  readonly trashed: string[] = []
  awake = false
  progress: number | null = null
  readonly #trash: string

  constructor(dataFolder: string) {
    this.#trash = dataFolder
  }

  async choose(): Promise<null> {
    return null
  }
  async openFolder(): Promise<void> {}
  async trash(path: string): Promise<void> {
    renameSync(path, join(this.#trash, `trash-${this.trashed.length}-${basename(path)}`))
    this.trashed.push(path)
  }
  notify(title: string, body: string, runId: number): void {
    this.notifications.push([title, body, runId])
  }
  keepAwake(awake: boolean): void {
    this.awake = awake
  }
  showProgress(fraction: number | null): void {
    this.progress = fraction
  }
}

/** @param env of the engine's processes, beside what they have */
export const serviceOptions = (dataFolder: string, env = {}): ServiceOptions & { platform: TestPlatform } => ({
  dataFolder,
  platform: new TestPlatform(dataFolder),
  engine: {
    node: process.execPath,
    run: join(root, 'engine/entries/run.ts'),
    service: join(root, 'engine/entries/service.ts'),
    env,
  },
  samples: samplesIn(join(root, 'resources'), false),
})

/** Services on a folder, with every answer and event held to the contract. */
export class TestApp {
  readonly dataFolder: string
  readonly platform: TestPlatform
  readonly events: AppEvent[] = []
  readonly #services: Services

  private constructor(services: Services, options: ReturnType<typeof serviceOptions>) {
    this.#services = services
    this.dataFolder = options.dataFolder
    this.platform = options.platform
    services.subscribe((event) => {
      events[event.name].parse(event.payload)
      this.events.push(event)
    })
  }

  static async open(dataFolder = mkdtempSync(join(tmpdir(), 'secateur-app-')), env = {}): Promise<TestApp> {
    const options = serviceOptions(dataFolder, env)
    return new TestApp(await openServices(options), options)
  }

  async ask<M extends Method>(
    method: M,
    ...[input]: undefined extends Request<M> ? [] : [Request<M>]
  ): Promise<Answer<M>> {
    const answer = await this.#services.call(method, input)
    if ('problem' in answer) throw new Error(`${method}: ${answer.problem.kind}: ${answer.problem.message}`)
    return methods[method][1].parse(answer.ok) as Answer<M>
  }

  /** What is wrong with a request that must be refused. */
  async problem(method: string, input: unknown): Promise<Problem> {
    const answer = await this.#services.call(method, input)
    if ('ok' in answer) throw new Error(`${method} was answered with ${JSON.stringify(answer.ok)}`)
    return answer.problem
  }

  told<E extends EventName>(name: E): Events[E][] {
    return this.events.flatMap((event) => (event.name === name ? [event.payload as Events[E]] : []))
  }

  /** A run that has the processor for as long as a test wants, and is cancelled in the end. */
  async startLongRun(): Promise<RunSummary> {
    const run = await this.ask('runs.create', {
      job: {
        kind: 'finetune',
        checkpoint: join(sample, 'model'),
        data: [join(sample, 'train.jsonl')],
        steps: 5000,
        threads: 1,
        device: 'onnx',
      },
    })
    await this.until(run.id, ({ state }) => state === 'running')
    return run
  }

  /** Waits until a run is as is wanted; fails where it has come to rest otherwise. */
  async until(id: number, wanted: (run: RunDetail) => boolean): Promise<RunDetail> {
    const resting: RunState[] = ['done', 'failed', 'paused', 'cancelled', 'interrupted']
    for (;;) {
      const run = await this.ask('runs.get', { id })
      if (wanted(run)) return run
      if (resting.includes(run.state)) throw new Error(`run ${id} is ${run.state}: ${run.reason}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async close(): Promise<void> {
    await this.#services.close()
  }

  async remove(): Promise<void> {
    await this.close()
    rmSync(this.dataFolder, { recursive: true, force: true })
  }
}
