import {
  type DataCheck,
  type EngineEvent,
  isOfTasks,
  type Job,
  type JobContext,
  type JobEstimate,
  jobSchema,
  type ResultEvent,
} from '../../contract/index.ts'
import { runJob } from '../../jobs/index.ts'
import { errorOf, refuseIfAny } from '../../shared/errors.ts'
import { StopSwitch } from '../process/stop-switch.ts'
import type { Reporter } from './report.ts'

/** Flags that are not settings of a job. */
export interface CommonFlags {
  json?: boolean
  job?: string
  resume?: boolean
  estimate?: boolean
}

export const estimateFlag = ['--estimate', 'only say what the job would leave, need and take on this computer'] as const

/**
 * Runs a job that flags and files have made, and reports its result; with --estimate only what it would need.
 *
 * @returns the exit code
 */
export async function runReported(job: Job, flags: CommonFlags, reporter: Reporter): Promise<number> {
  const parsed = jobSchema.parse(job)
  let code = 0
  await stoppable(reporter, async (signal) => {
    if (flags.estimate) return await reportEstimate(parsed, { resume: flags.resume ?? false, signal }, reporter)
    const context: JobContext = {
      emit: (event: EngineEvent) => reporter.event(event),
      signal,
      resume: flags.resume ?? false,
    }
    const result: ResultEvent = await runJob(parsed, context)
    reporter.finish(result)
    const failure = failedRunsText(result)
    if (failure === null) return
    // The result stays the last line on standard output: it names them too.
    reporter.note(`secateur: ${failure}`)
    code = exitCodeOfFailedRuns
  })
  return code
}

/** They may have failed for several reasons, and the sweep itself is over. */
const exitCodeOfFailedRuns = 1

const mostNamed = 10

/** What to know and to do where runs of a sweep could not be done; null where all were. */
export function failedRunsText({ failed = [], report }: Pick<ResultEvent, 'failed' | 'report'>): string | null {
  if (failed.length === 0) return null
  const named = failed.slice(0, mostNamed).join(', ')
  const others = failed.length > mostNamed ? ` and ${failed.length - mostNamed} others` : ''
  return (
    `${failed.length} ${failed.length === 1 ? 'run' : 'runs'} could not be done: ${named}${others}. ${report} says why. ` +
    'Mend what is wrong, and give the same command with --resume: what is done is not done again'
  )
}

/** Says what a job would leave, need and take, and what its files hold. @throws SecateurError where it would be refused */
async function reportEstimate(job: Job, context: EstimateContext, reporter: Reporter): Promise<void> {
  const { estimate: known, data } =
    (await estimateElsewhere(job, context)) ?? (await estimateHere(job, context, reporter))
  const criterion = job.kind === 'prune' ? job.criterion : null
  reporter.finish({ type: 'result', criterion, ...known, data })
  refuseIfAny(data.problems.map(errorOf))
}

type EstimateContext = Pick<JobContext, 'resume' | 'signal'>

interface Estimated {
  estimate: JobEstimate
  data: DataCheck
}

/** Null for what is done on this computer or on a cluster that it is part of. */
async function estimateElsewhere(job: Job, context: EstimateContext): Promise<Estimated | null> {
  if (!isOfTasks(job) || job.cluster?.via === undefined) return null
  const { loginOf } = await import('../../runners/ssh/login.ts')
  const { estimateThere } = await import('../../runners/ssh/ask.ts')
  return await estimateThere(job, job.cluster, loginOf(job.cluster)!, context)
}

async function estimateHere(job: Job, { resume, signal }: EstimateContext, reporter: Reporter): Promise<Estimated> {
  const { estimateAnyJob } = await import('../../estimate/any-job.ts')
  const { checkData } = await import('../../estimate/check-data.ts')
  // Of a single job, only budgets of time take long: layers are measured.
  const measuring = (done: number, total: number) =>
    job.kind === 'sweep' ? undefined : reporter.event({ type: 'progress', stage: 'measuring speed', done, total })
  const estimate = await estimateAnyJob({ job, resume }, { signal, progress: measuring })
  const progress = (done: number, total: number) =>
    reporter.event({ type: 'progress', stage: 'checking data', done, total })
  return { estimate, data: await checkData({ job, resume }, { signal, progress }) }
}

/** Runs with a signal that the first Ctrl-C raises; the second one ends the process at once. */
export async function stoppable(reporter: Reporter, run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  using stop = new StopSwitch(() => reporter.note('stopping after this step; press Ctrl-C again to end at once'))
  // Nobody reads any more: a terminal that was closed, or a pipe's other end. The state is worth saving all the same.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', stop.stop)
  await run(stop.signal)
}
