import { jobSchema, type JobContext, type ResultEvent } from '../contract/index.ts'
import { readRunFile } from '../runs/run-files.ts'
import { badSetting, failureOf, SecateurError } from '../shared/errors.ts'
import { readJson } from '../shared/files.ts'
import { jobFileOf, keepFailure } from '../sweeps/runners/slurm/cluster-folder.ts'
import { denseFolderOf, isStarted, resultIn, settle } from '../sweeps/sweep-folder.ts'
import { runJob } from './index.ts'

/**
 * One run of a sweep, on a node of a cluster: begins it or goes on with it, and does nothing where it is over.
 *
 * @param folder of the sweep
 * @param name of the run's folder, or `dense`
 */
export async function sweepTask(
  { folder, name }: { folder: string; name: string },
  context: Omit<JobContext, 'resume' | 'dense'>,
): Promise<ResultEvent> {
  if (!/^[\w.-]+$/.test(name)) throw badSetting('<name>', 'is not the name of a run')
  const { job: sweep } = readRunFile(folder)
  if (sweep.kind !== 'sweep') throw badSetting('<folder>', `${folder} holds a run of kind ${sweep.kind}, not a sweep`)
  try {
    const job = readJson(jobFileOf(folder, name), jobSchema)
    if (job.kind !== 'prune' && job.kind !== 'evaluate')
      throw badSetting('kind', `${job.kind} is not what a sweep is made of`)
    const out = job.out
    if (out === undefined) throw badSetting('out', 'the job names no folder')
    const dense = denseFolderOf(folder)
    const result =
      resultIn(out) ??
      (await runJob(job, {
        ...context,
        resume: isStarted(out),
        dense: job.kind === 'prune' && resultIn(dense) ? dense : undefined,
      }))
    settle({ job: { ...job, out } }, result, sweep)
    return result
  } catch (error) {
    const isStopped = error instanceof SecateurError && error.kind === 'interrupted'
    if (!isStopped) keepFailure(folder, name, failureOf(error))
    throw error
  }
}
