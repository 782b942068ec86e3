import { type Job, jobSchema } from '../../engine/contract/index.ts'
import type { RunRow } from '../database/runs.ts'
import type { EngineService } from '../engine-client.ts'
import { clusterOf } from './run-summary.ts'

/** Back ends that work on the processor. One run has the whole of it. */
const onProcessor = ['onnx', 'cpu']

/** Says on which device a run works, so that the queue gives each device one run at a time. */
export class DeviceChoice {
  readonly #engine: EngineService
  #auto: Promise<string> | null = null

  constructor(engine: EngineService) {
    this.#engine = engine
  }

  /** The device that a run needs for itself while it works. */
  async of(row: RunRow): Promise<string> {
    // A sweep on a cluster is only followed here.
    if (clusterOf(row)) return `cluster-${row.id}`
    const job = jobSchema.safeParse(JSON.parse(row.job))
    return await this.named(job.success ? askedDevice(job.data) : 'cpu')
  }

  /** The device of a back end, or of the one that is taken. */
  async named(asked: string): Promise<'processor' | 'graphics'> {
    const device = asked === 'auto' ? await this.#chosen() : asked
    return onProcessor.includes(device) ? 'processor' : 'graphics'
  }

  /** What `auto` takes, which does not change while the app runs. */
  async #chosen(): Promise<string> {
    this.#auto ??= this.#engine.request('devices', {}).then(({ chosen }) => chosen)
    try {
      return await this.#auto
    } catch {
      this.#auto = null
      return 'onnx'
    }
  }
}

/** A sweep's runs say where they work; a merge needs no device and is done by the processor. */
function askedDevice(job: Job): string {
  if ('device' in job) return job.device
  const base = job.kind === 'sweep' ? job.base['device'] : 'cpu'
  return typeof base === 'string' ? base : 'auto'
}
