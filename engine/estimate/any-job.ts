import { type EvaluateJob, isOfTasks, type Job, type JobEstimate, type ParsedServiceParams } from '../contract/index.ts'
import { leftToScore } from '../parts/left.ts'
import { splitEvaluation } from '../parts/split.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { estimateSingleJob, fitOf } from './single-job.ts'
import { estimateSweep, forWhatIsLeft } from './sweep.ts'

/** What an estimate is of. */
type Estimated = Partial<ParsedServiceParams<'estimate'>> & {
  job: Job
  /** Whether the job goes on in its folder: of runs and parts, what is finished there is not counted again. */
  resume?: boolean
}

/** What a job leaves, needs and takes on this computer. @throws SecateurError as the job itself would */
export async function estimateAnyJob(
  { job, releasableBytes = 0, resume = false }: Estimated,
  control: WorkControl,
): Promise<JobEstimate> {
  if (job.kind === 'sweep') return await estimateSweep(job, { releasableBytes, resume }, control)
  if (isOfTasks(job)) return await estimateParts(job, { releasableBytes, resume }, control)
  return await estimateSingleJob(job, control, releasableBytes)
}

/** Parts that run at once hold a model each; together they are no faster than one process. Parts that are over take nothing more. */
async function estimateParts(
  whole: EvaluateJob,
  { releasableBytes, resume }: { releasableBytes: number; resume: boolean },
  control: WorkControl,
): Promise<JobEstimate> {
  const parts = splitEvaluation(whole, '').length
  const { job, finished } = resume ? leftToScore(whole) : { job: whole, finished: 0 }
  const known = await estimateSingleJob(job, control, releasableBytes)
  const left = parts - finished
  const together = { ...known, memoryBytes: known.memoryBytes * Math.max(1, Math.min(whole.parallel ?? 1, left)) }
  return {
    ...together,
    ...(finished > 0 && { secondsFrom: whatCounts(known, left, parts) }),
    ...(left === 0 && { seconds: 0 }),
    ...fitOf(together, known.warnings, 'parts'),
  }
}

function whatCounts({ secondsFrom }: JobEstimate, left: number, parts: number): string {
  if (left === 0) return `All ${parts} parts are finished: their scores are only joined.`
  return `${forWhatIsLeft('parts', left, parts)} ${secondsFrom}`
}
