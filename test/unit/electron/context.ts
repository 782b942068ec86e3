import { copyFiles } from '../../../engine/checkpoint/copy-files.ts'
import type { ServiceMethod, ServiceParams } from '../../../engine/contract/index.ts'
import { findModels } from '../../../engine/jobs/find-models.ts'
import { inspectFolder } from '../../../engine/jobs/inspect-folder.ts'
import type { WorkControl } from '../../../engine/shared/work-control.ts'
import { type AppEvent, settingsSchema } from '../../../electron/contract/index.ts'
import { CheckpointStore } from '../../../electron/database/checkpoints.ts'
import { DatasetStore } from '../../../electron/database/datasets.ts'
import { openDatabase } from '../../../electron/database/open.ts'
import { RunStore } from '../../../electron/database/runs.ts'
import type { EngineService } from '../../../electron/engine-client.ts'
import { ProblemError } from '../../../electron/problems.ts'
import type { Context } from '../../../electron/services/context.ts'
import { Tasks } from '../../../electron/services/tasks.ts'
import { serviceOptions } from './services.ts'

export const control: WorkControl = { signal: new AbortController().signal, progress: () => {} }

/** What services work with, on a data folder, with the engine's answers computed in this process. */
export function contextOn(dataFolder: string): Context & { told: AppEvent[]; close: () => void } {
  const { db } = openDatabase(dataFolder)
  const told: AppEvent[] = []
  const emit: Context['emit'] = (name, payload) => void told.push({ name, payload } as AppEvent)
  const settings = settingsSchema.parse({
    runsFolder: `${dataFolder}/runs`,
    checkpointsFolder: `${dataFolder}/checkpoints`,
  })
  const answers: { [Method in ServiceMethod]?: (params: never, control: WorkControl) => unknown } = {
    inspect: (params: ServiceParams<'inspect'>) => inspectFolder(params),
    copyFiles,
    findModels,
  }
  const engine = {
    request: async (method: ServiceMethod, params: never, more?: WorkControl) => {
      const answer = answers[method]
      if (!answer) throw new ProblemError('interrupted', `${method} is not answered here`)
      return await answer(params, { ...control, ...more })
    },
  } as unknown as EngineService
  return {
    told,
    close: () => db.close(),
    options: serviceOptions(dataFolder),
    db,
    checkpoints: new CheckpointStore(db),
    datasets: new DatasetStore(db),
    runs: new RunStore(db),
    engine,
    tasks: new Tasks(emit),
    emit,
    settings: () => settings,
    inBackground: (work) => void work.catch(() => {}),
  }
}
