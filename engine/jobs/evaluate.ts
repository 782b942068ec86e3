import { chooseBackend } from '../backends/choose.ts'
import type { EvaluateJob, JobContext, ResultEvent } from '../contract/index.ts'
import { announce } from '../estimate/announce.ts'
import { refuseBadFiles } from '../estimate/check-data.ts'
import { evaluationFiles } from '../estimate/file-groups.ts'
import { peakMemory } from '../estimate/memory.ts'
import { openCheckpoint } from '../models/checkpoint.ts'
import { evaluateInRun, score } from '../runs/evaluation.ts'
import { inRunFolder, type RunFolder } from '../runs/run-folder.ts'
import { badSetting } from '../shared/errors.ts'

/** Scores a checkpoint, with an adapter or without, on task files and texts. */
export async function evaluate(job: EvaluateJob, context: JobContext): Promise<ResultEvent> {
  const started = performance.now()
  using checkpoint = openCheckpoint(job.checkpoint, job.imageSize)
  const { name, threads } = await chooseBackend(job)
  await announce(job, checkpoint, context.emit)
  await refuseBadFiles(evaluationFiles(job), context)
  const run = async (folder: RunFolder | null): Promise<ResultEvent> => {
    context.emit({ type: 'started', job, backend: name, threads })
    const scores = folder
      ? await evaluateInRun(checkpoint, job.evaluation, 'result', folder, context, job.adapter)
      : await score(checkpoint, job.evaluation, context, { adapter: job.adapter })
    const { parameters } = checkpoint
    return {
      type: 'result',
      parameters: { before: parameters, after: parameters },
      ...scores,
      ...peakMemory(),
      seconds: (performance.now() - started) / 1000,
    }
  }
  const { out } = job
  if (out !== undefined) return await inRunFolder({ ...job, out }, context, run)
  if (context.resume) throw badSetting('out', 'name the folder of the evaluation that is to be resumed')
  return await run(null)
}
