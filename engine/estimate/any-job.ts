import { setImmediate } from 'node:timers/promises'
import type { Estimate, EvaluateJob, Job, JobEstimate, ParsedServiceParams, SweepJob } from '../contract/index.ts'
import { openCheckpoint } from '../models/checkpoint.ts'
import { splitEvaluation } from '../parts/split.ts'
import { SecateurError } from '../shared/errors.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { expandSweep, type SweepRun } from '../sweeps/expand.ts'
import { estimateSingleJob, fitOf } from './single-job.ts'

/** What a job leaves, needs and takes on this computer. @throws SecateurError as the job itself would */
export async function estimateAnyJob(
  { job, releasableBytes = 0 }: Partial<ParsedServiceParams<'estimate'>> & { job: Job },
  control: WorkControl,
): Promise<JobEstimate> {
  if (job.kind === 'sweep') return await estimateSweep(job, releasableBytes, control)
  const known = await estimateSingleJob(job, control, releasableBytes)
  return job.kind === 'evaluate' && job.parallel !== undefined ? estimateParts(job, known) : known
}

/** Parts that run at once hold a model each; together they are no faster than one process. */
function estimateParts(job: EvaluateJob, known: JobEstimate): JobEstimate {
  const parts = splitEvaluation(job, '').length
  const together = { ...known, memoryBytes: known.memoryBytes * Math.max(1, Math.min(job.parallel ?? 1, parts)) }
  return { ...together, ...fitOf(together, known.warnings, 'parts') }
}

/** The runs of a sweep together: the time of all, and the memory of as many as run at once. */
async function estimateSweep(job: SweepJob, releasableBytes: number, control: WorkControl): Promise<JobEstimate> {
  const expanded = expandSweep(job)
  // Seeds change nothing of what a run needs.
  const alike = new Map<string, JobEstimate>()
  const runs: JobEstimate[] = []
  for (const run of expanded) {
    // Thousands of runs that are known already must not keep other requests, or a stop, from being heard.
    await setImmediate()
    control.signal.throwIfAborted()
    const key = JSON.stringify({ ...run.job, seed: 0 })
    const known = alike.get(key) ?? (await estimateRun(run, { out: job.out, releasableBytes }, control))
    alike.set(key, known)
    runs.push(known)
    control.progress(runs.length, expanded.length)
  }
  using checkpoint = openCheckpoint(job.checkpoint)
  const sum = (of: (run: JobEstimate) => number) => runs.reduce((total, run) => total + of(run), 0)
  const most = (of: (run: JobEstimate) => number) => Math.max(...runs.map(of))
  // What leaves of each kind, and what loads the rest, is a matter of one run.
  const { removal: _removal, compatibility: _compatibility, ...first } = runs[0]!
  const known: Estimate = {
    ...first,
    parameters: { before: checkpoint.parameters, after: most(({ parameters }) => parameters.after) },
    diskBytes: job.keepCheckpoints
      ? sum(({ diskBytes }) => diskBytes)
      : most(({ diskBytes }) => diskBytes) * job.parallel,
    memoryBytes: most(({ memoryBytes }) => memoryBytes) * Math.min(job.parallel, runs.length),
  }
  const seconds = runs.map((run) => run.seconds ?? 0)
  return {
    ...known,
    layersAfter: checkpoint.config.layers,
    // Runs side by side share the machine: together they are no faster.
    seconds: sum((run) => run.seconds ?? 0),
    scoring: runs[0]!.scoring,
    sweep: {
      runs: runs.length,
      parameters: { least: Math.min(...runs.map((run) => run.parameters.after)), most: known.parameters.after },
      seconds: { least: Math.min(...seconds), most: Math.max(...seconds) },
    },
    secondsFrom: `For ${runs.length} runs. ${runs[0]!.secondsFrom}`,
    ...fitOf(known, [...new Set(runs.flatMap(({ warnings }) => warnings))], 'sweep'),
  }
}

/** @throws SecateurError that says in which run something is wrong. */
async function estimateRun(
  { job, name }: SweepRun,
  { out, releasableBytes }: { out: string; releasableBytes: number },
  control: WorkControl,
): Promise<JobEstimate> {
  try {
    return await estimateSingleJob({ ...job, out }, control, releasableBytes)
  } catch (error) {
    if (!(error instanceof SecateurError)) throw error
    const { kind, message, file, field } = error
    const place = [file, field].filter((part) => part !== undefined).join(': ')
    const plain = place && message.startsWith(`${place}: `) ? message.slice(place.length + 2) : message
    throw new SecateurError(kind, `${plain} (in the run ${name})`, { file, field, cause: error })
  }
}
