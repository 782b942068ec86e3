import type { EvaluateJob, Job, JobEstimate, ParsedServiceParams } from '../contract/index.ts'
import { splitEvaluation } from '../parts/split.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { estimateSingleJob, fitOf } from './single-job.ts'
import { estimateSweep } from './sweep.ts'

/** What an estimate is of. */
type Estimated = Partial<ParsedServiceParams<'estimate'>> & {
  job: Job
  /** Whether the job goes on in its folder: of a sweep, what is finished there is not counted again. */
  resume?: boolean
}

/** What a job leaves, needs and takes on this computer. @throws SecateurError as the job itself would */
export async function estimateAnyJob(
  { job, releasableBytes = 0, resume = false }: Estimated,
  control: WorkControl,
): Promise<JobEstimate> {
  if (job.kind === 'sweep') return await estimateSweep(job, { releasableBytes, resume }, control)
  const known = await estimateSingleJob(job, control, releasableBytes)
  return job.kind === 'evaluate' && job.parallel !== undefined ? estimateParts(job, known) : known
}

/** Parts that run at once hold a model each; together they are no faster than one process. */
function estimateParts(job: EvaluateJob, known: JobEstimate): JobEstimate {
  const parts = splitEvaluation(job, '').length
  const together = { ...known, memoryBytes: known.memoryBytes * Math.max(1, Math.min(job.parallel ?? 1, parts)) }
  return { ...together, ...fitOf(together, known.warnings, 'parts') }
}
