import { isDeepStrictEqual } from 'node:util'
import { type EvaluateJob, evaluateSchema, type SweepJob } from '../contract/index.ts'
import type { RunnerTask, RunnerWork } from '../runners/runner.ts'
import type { SweepRun } from './expand.ts'
import { denseFolderOf, isSettled, runFolderOf } from './sweep-folder.ts'

/** What there is to do for a sweep. */
export interface SweepWork extends RunnerWork {
  job: SweepJob
  /** Scores the checkpoint itself, which runs with `evaluateDense` take their dense scores from; null where it is not wanted. */
  dense: RunnerTask | null
  runs: readonly RunnerTask[]
}

/**
 * What there is to do for a sweep, with the folders that it is written to.
 *
 * @param warn hears why something that was asked for is left out
 */
export function workOf(
  sweep: SweepJob,
  { folder, resume }: Pick<RunnerWork, 'folder' | 'resume'>,
  expanded: readonly SweepRun[],
  warn: (message: string) => void,
): SweepWork {
  const dense = denseTask(sweep, folder, expanded, warn)
  const runs = expanded.map(({ name, job }): RunnerTask => ({
    name,
    job: { ...job, out: runFolderOf(folder, name) },
    ...(dense && { dense: dense.job.out }),
  }))
  return {
    job: sweep,
    folder,
    resume,
    parallel: sweep.parallel,
    dense,
    runs,
    stages: [
      { tasks: dense ? [dense] : [], waits: false, isNeeded: true },
      { tasks: runs, waits: expanded.some(({ job }) => job.evaluateDense), isNeeded: false },
    ],
    isSettled,
  }
}

/** Scores the checkpoint itself, once for all runs. */
function denseTask(
  { dense, checkpoint }: SweepJob,
  folder: string,
  runs: readonly SweepRun[],
  warn: (message: string) => void,
): RunnerTask | null {
  const [first] = runs
  if (!dense || !first?.job.evaluation) return null
  if (!runs.every(({ job }) => isDeepStrictEqual(job.evaluation, first.job.evaluation))) {
    warn('the dense checkpoint is not scored: runs differ in what they are scored on')
    return null
  }
  const out = denseFolderOf(folder)
  // The files that these name are those of the run.
  const { predictions: _, lmEvalJson: __, ...evaluation } = first.job.evaluation
  const job: EvaluateJob = evaluateSchema.parse({
    kind: 'evaluate',
    checkpoint,
    out,
    device: first.job.device,
    threads: first.job.threads,
    evaluation,
  })
  return { name: 'the dense checkpoint', job: { ...job, out } }
}
