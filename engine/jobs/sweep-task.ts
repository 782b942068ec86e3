import { isOfTasks, jobSchema, type JobContext, type ResultEvent } from '../contract/index.ts'
import { isStarted, readRunFile, resultIn } from '../runs/run-files.ts'
import { badSetting, failureOf, SecateurError } from '../shared/errors.ts'
import { readJson } from '../shared/files.ts'
import { jobFileOf, keepFailure } from '../runners/slurm/cluster-folder.ts'
import { denseFolderOf, settle } from '../sweeps/sweep-folder.ts'
import { runJob } from './index.ts'

/**
 * One task of a sweep or of an evaluation in parts, on a node of a cluster: begins it or goes on with it, and does nothing
 * where it is over.
 *
 * @param folder of the whole
 * @param name of the task's folder
 */
export async function sweepTask(
  { folder, name }: { folder: string; name: string },
  context: Omit<JobContext, 'resume' | 'dense'>,
): Promise<ResultEvent> {
  if (!/^[\w.-]+$/.test(name)) throw badSetting('<name>', 'is not the name of a task')
  const { job: whole } = readRunFile(folder)
  if (!isOfTasks(whole)) throw badSetting('<folder>', `${folder} holds ${whole.kind}, which is not made of tasks`)
  try {
    const job = readJson(jobFileOf(folder, name), jobSchema)
    if (job.kind !== 'prune' && job.kind !== 'evaluate') throw badSetting('kind', `${job.kind} is not what a task does`)
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
    if (whole.kind === 'sweep') settle({ job: { ...job, out } }, result, whole)
    return result
  } catch (error) {
    const isStopped = error instanceof SecateurError && error.kind === 'interrupted'
    if (!isStopped) keepFailure(folder, name, failureOf(error))
    throw error
  }
}
