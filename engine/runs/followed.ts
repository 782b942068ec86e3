import type { EngineEvent, Job, JobContext, ResultEvent } from '../contract/index.ts'
import { failureOf } from '../shared/errors.ts'
import { OverallProgress } from './overall.ts'
import { RunLog } from './run-log.ts'

/** Milliseconds between two reports of the whole, where no phase begins. */
const period = 250

/**
 * Runs a job, and tells beside its own events how far it is as a whole, and what its log says.
 *
 * @throws what the job throws
 */
export async function followed(
  job: Job,
  context: JobContext,
  run: (context: JobContext) => Promise<ResultEvent>,
): Promise<ResultEvent> {
  const progress = new OverallProgress(job)
  using log = new RunLog(context.emit)
  let told = -Infinity
  const emit = (event: EngineEvent) => {
    context.emit(event)
    log.hear(event)
    if (!progress.hear(event)) return
    if (event.type !== 'phase' && performance.now() - told < period) return
    told = performance.now()
    context.emit({ type: 'overall', overall: progress.overall })
  }
  try {
    const result = await run({ ...context, emit, keepLog: (folder, isNew) => log.keepIn(folder, isNew) })
    progress.finish()
    context.emit({ type: 'overall', overall: progress.overall })
    log.hear(result)
    return result
  } catch (error) {
    try {
      log.hear({ type: 'error', ...failureOf(error) })
    } catch {
      // On a full disk the first error is the one to tell.
    }
    throw error
  }
}
