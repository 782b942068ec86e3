import type { Settings } from '../contract/index.ts'
import type { CheckpointStore } from '../database/checkpoints.ts'
import type { DatasetStore } from '../database/datasets.ts'
import type { Connection } from '../database/open.ts'
import type { RunStore } from '../database/runs.ts'
import type { EngineService } from '../engine-client.ts'
import type { Emit } from './events.ts'
import type { Tasks } from './tasks.ts'
import type { ServiceOptions } from './types.ts'

/** What every service works with. */
export interface Context {
  options: ServiceOptions
  db: Connection
  checkpoints: CheckpointStore
  datasets: DatasetStore
  runs: RunStore
  engine: EngineService
  tasks: Tasks
  emit: Emit
  settings: () => Settings
  /** Runs work beside the requests. Shows its failure to the user, since nobody awaits it. */
  inBackground: (work: Promise<unknown>) => void
}
