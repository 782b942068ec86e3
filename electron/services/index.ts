import { methods, type Method, type Problem } from '../contract/index.ts'
import { CheckpointStore } from '../database/checkpoints.ts'
import { DatasetStore } from '../database/datasets.ts'
import { History } from '../database/history.ts'
import { openDatabase } from '../database/open.ts'
import { RunStore } from '../database/runs.ts'
import { SettingStore } from '../database/settings.ts'
import { EngineService } from '../engine-client.ts'
import { ProblemError, toProblem, wasAborted } from '../problems.ts'
import { pathsOfRequest, requireAllowed } from './allowed-paths.ts'
import { appHandlers } from './app.ts'
import { clusterHandlers } from './clusters.ts'
import { Compare } from './compare.ts'
import type { Context } from './context.ts'
import { coordinateHandlers } from './coordinates.ts'
import { datasetImageHandlers } from './dataset-images.ts'
import { Datasets } from './datasets.ts'
import { diagnosticHandlers } from './diagnostics.ts'
import { DeviceTurns } from './device-turns.ts'
import { EventHub } from './events.ts'
import { folderHandlers } from './folders.ts'
import type { Handlers } from './handlers.ts'
import { HistoryService } from './history.ts'
import { Library } from './library.ts'
import { withHome } from './home-paths.ts'
import { imageHandlers } from './images.ts'
import { predictionHandlers } from './predictions.ts'
import { Playground } from './playground.ts'
import { purge } from './purge.ts'
import { RunQueue } from './run-queue.ts'
import { RunTransfer } from './run-transfer.ts'
import { Runs } from './runs.ts'
import { sampleHandlers } from './samples.ts'
import { AppSettings } from './settings.ts'
import { Speeds } from './speeds.ts'
import { Tasks } from './tasks.ts'
import type { ServiceOptions, Services } from './types.ts'

/**
 * Opens the database, takes up what was running when the app last ended, and answers requests.
 *
 * @throws ProblemError where the database is of a newer version or in use
 */
export async function openServices(options: ServiceOptions): Promise<Services> {
  const { db, keptAside } = openDatabase(options.dataFolder)
  const hub = new EventHub()
  const engine = new EngineService(options.engine)
  const settings = new AppSettings(new SettingStore(db), options.dataFolder, hub.emit)
  let closing = false
  const context: Context = {
    options,
    db,
    checkpoints: new CheckpointStore(db),
    datasets: new DatasetStore(db),
    runs: new RunStore(db),
    engine,
    tasks: new Tasks(hub.emit),
    emit: hub.emit,
    settings: () => settings.current,
    inBackground: (work) =>
      void work.catch((error: unknown) => {
        if (!closing && !wasAborted(error)) hub.emit('notice', { level: 'error', message: toProblem(error).message })
      }),
  }
  const library = new Library(context)
  const datasets = new Datasets(context, library)
  const turns = new DeviceTurns()
  const queue = new RunQueue(context, library, turns)
  const runs = new Runs(context, library, queue)
  const playground = new Playground(context, library, turns)
  const speeds = new Speeds(context, library, turns)
  const history = new History(db, context.runs.unwritten)
  const handlers: Handlers = {
    ...folderHandlers(context),
    ...appHandlers(context, keptAside),
    ...diagnosticHandlers(context),
    ...settings.handlers,
    ...context.tasks.handlers,
    ...library.handlers,
    ...library.folders.handlers,
    ...datasets.handlers,
    ...datasetImageHandlers(context, library, datasets),
    ...sampleHandlers(context, library, datasets),
    ...runs.handlers,
    ...clusterHandlers(context),
    ...new RunTransfer(context, library, runs).handlers,
    ...new HistoryService(context, history).handlers,
    ...coordinateHandlers(history),
    ...new Compare(context, history).handlers,
    ...imageHandlers(context),
    ...predictionHandlers(context),
    ...playground.handlers,
    ...speeds.handlers,
  }

  queue.recover()
  queue.schedule()
  library.start()
  context.inBackground(datasets.check())
  context.inBackground(purge(context))

  return {
    async call(method, input): Promise<{ ok: unknown } | { problem: Problem }> {
      try {
        if (closing) throw new ProblemError('interrupted', 'The app is closing.')
        if (!Object.hasOwn(methods, method)) throw new ProblemError('refused', `There is no request "${method}".`)
        const name = method as Method
        const handler = (handlers as Record<string, unknown>)[name] as (input: unknown) => unknown
        const parsed = methods[name][0].parse(withHome(input))
        await requireAllowed(options.platform, pathsOfRequest(name, parsed as never))
        return { ok: await handler(parsed) }
      } catch (error) {
        return { problem: toProblem(error) }
      }
    },
    subscribe: (listener) => hub.subscribe(listener),
    async close() {
      closing = true
      library.close()
      await Promise.all([queue.close(), playground.close()])
      await context.tasks.close()
      await engine.close()
      db.close()
    },
  }
}
