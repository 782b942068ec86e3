import { isDeepStrictEqual } from 'node:util'
import { type EvaluateJob, evaluateSchema, type SweepJob } from '../contract/index.ts'
import type { SweepRun } from './expand.ts'
import type { SweepTask, SweepWork } from './runners/runner.ts'
import { denseFolderOf, runFolderOf } from './sweep-folder.ts'

/**
 * What there is to do for a sweep, with the folders that it is written to.
 *
 * @param warn hears why something that was asked for is left out
 */
export function workOf(
  sweep: SweepJob,
  { folder, resume }: Pick<SweepWork, 'folder' | 'resume'>,
  runs: readonly SweepRun[],
  warn: (message: string) => void,
): SweepWork {
  return {
    sweep,
    folder,
    resume,
    dense: denseTask(sweep, folder, runs, warn),
    runs: runs.map((run) => ({ name: run.name, job: { ...run.job, out: runFolderOf(folder, run.name) } })),
  }
}

/** Scores the checkpoint itself, once for all runs. */
function denseTask(
  { dense, checkpoint }: SweepJob,
  folder: string,
  runs: readonly SweepRun[],
  warn: (message: string) => void,
): SweepTask | null {
  const [first] = runs
  if (!dense || !first?.job.evaluation) return null
  if (!runs.every(({ job }) => isDeepStrictEqual(job.evaluation, first.job.evaluation))) {
    warn('the dense checkpoint is not scored: runs differ in what they are scored on')
    return null
  }
  const out = denseFolderOf(folder)
  const job: EvaluateJob = evaluateSchema.parse({
    kind: 'evaluate',
    checkpoint,
    out,
    device: first.job.device,
    threads: first.job.threads,
    evaluation: first.job.evaluation,
  })
  return { name: 'the dense checkpoint', job: { ...job, out } }
}
