import { existsSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { Estimate, JobEstimate, SweepJob } from '../contract/index.ts'
import { openCheckpoint } from '../models/checkpoint.ts'
import { availableMemory } from '../shared/available-memory.ts'
import { SecateurError } from '../shared/errors.ts'
import { sum } from '../shared/sum.ts'
import type { WorkControl } from '../shared/work-control.ts'
import type { SweepRun } from '../sweeps/expand.ts'
import { runFolderOf } from '../sweeps/sweep-folder.ts'
import { runsLeft } from '../sweeps/runs-left.ts'
import { freeDisk } from './estimate.ts'
import { estimateSingleJob, fitOf } from './single-job.ts'

interface SweepContext {
  /** Memory of other processes that will have ended when the sweep starts. */
  releasableBytes: number
  /** Whether the sweep goes on in its folder. */
  resume: boolean
}

/**
 * The runs of a sweep together: the time of all, and the memory of as many as run at once. Of a sweep that goes on, runs that
 * are finished take nothing more, and one that was stopped in its middle counts whole but for what it has written.
 *
 * @throws SecateurError as the sweep itself would
 */
export async function estimateSweep(job: SweepJob, context: SweepContext, control: WorkControl): Promise<JobEstimate> {
  const { left, finished } = runsLeft(job, context)
  const runs = await estimateRuns(left, job, context, control)
  using checkpoint = openCheckpoint(job.checkpoint)
  const total = (of: (run: JobEstimate) => number) => sum(runs.map(of))
  const most = (of: (run: JobEstimate) => number) => Math.max(0, ...runs.map(of))
  const atOnce = Math.min(job.parallel, runs.length)
  const after = [
    ...runs.map(({ parameters }) => parameters.after),
    ...finished.flatMap(({ parameters }) => parameters?.after ?? []),
  ]
  // What leaves of each kind, and what loads the rest, is a matter of one run.
  const { removal: _removal, compatibility: _compatibility, ...first } = runs[0] ?? nothingOf(job)
  const known: Estimate = {
    ...first,
    parameters: { before: checkpoint.parameters, after: Math.max(...after) },
    diskBytes: job.keepCheckpoints
      ? total(({ diskBytes }) => diskBytes)
      : most(({ diskBytes }) => diskBytes) * (context.resume ? atOnce : job.parallel),
    memoryBytes: most(({ memoryBytes }) => memoryBytes) * atOnce,
  }
  const seconds = runs.map((run) => run.seconds ?? 0)
  return {
    ...known,
    layersAfter: checkpoint.config.layers,
    // Runs side by side share the machine: together they are no faster.
    seconds: sum(seconds),
    scoring: runs[0]?.scoring ?? null,
    sweep: {
      runs: runs.length,
      ...(finished.length > 0 && { finished: finished.length }),
      parameters: { least: Math.min(...after), most: known.parameters.after },
      seconds: { least: runs.length > 0 ? Math.min(...seconds) : 0, most: most((run) => run.seconds ?? 0) },
    },
    secondsFrom: whatCounts(runs, finished.length),
    ...fitOf(known, [...new Set(runs.flatMap(({ warnings }) => warnings))], 'sweep'),
  }
}

/** What the time is of, and how it was got. */
function whatCounts(left: readonly JobEstimate[], finished: number): string {
  const all = left.length + finished
  const [first] = left
  if (!first) return `All ${all} runs are finished: only the report is written again.`
  if (finished === 0) return `For ${all} runs. ${first.secondsFrom}`
  return `${forWhatIsLeft('runs', left.length, all)} ${first.secondsFrom}`
}

/** What an estimate counts where some of a job's runs or parts are over. */
export function forWhatIsLeft(what: 'runs' | 'parts', left: number, all: number): string {
  const finished = all - left
  return `For the ${left} of ${all} ${what} that are left; ${finished} ${finished === 1 ? 'is' : 'are'} finished.`
}

/** Of a sweep that has nothing left to do. */
const nothingOf = ({
  out,
}: SweepJob): Pick<JobEstimate, 'freeDiskBytes' | 'freeMemoryBytes'> & Partial<JobEstimate> => ({
  freeDiskBytes: freeDisk(out),
  freeMemoryBytes: availableMemory(),
})

async function estimateRuns(
  runs: readonly SweepRun[],
  { out }: SweepJob,
  context: SweepContext,
  control: WorkControl,
): Promise<JobEstimate[]> {
  // Seeds change nothing of what a run needs.
  const alike = new Map<string, JobEstimate>()
  const estimates: JobEstimate[] = []
  for (const run of runs) {
    // Thousands of runs that are known already must not keep other requests, or a stop, from being heard.
    await setImmediate()
    control.signal.throwIfAborted()
    const folder = runFolderOf(out, run.name)
    // What a run has written already is its own.
    const isBegun = context.resume && existsSync(folder)
    const key = JSON.stringify([{ ...run.job, seed: 0 }, isBegun ? run.name : null])
    const known = alike.get(key) ?? (await estimateRun(run, isBegun ? folder : out, context, control))
    alike.set(key, known)
    estimates.push(known)
    control.progress(estimates.length, runs.length)
  }
  return estimates
}

/** @throws SecateurError that says in which run something is wrong. */
async function estimateRun(
  { job, name }: SweepRun,
  out: string,
  { releasableBytes }: SweepContext,
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
