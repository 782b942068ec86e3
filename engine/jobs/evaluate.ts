import { chooseBackend } from '../backends/choose.ts'
import type { BesideDense, EvaluateJob, JobContext, ResultEvent, Scores } from '../contract/index.ts'
import { announce } from '../estimate/announce.ts'
import { refuseBadFiles } from '../estimate/check-data.ts'
import { evaluationFiles } from '../estimate/file-groups.ts'
import { peakMemory } from '../estimate/memory.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import { besideDense, besideInRun } from '../runs/beside-dense.ts'
import { evaluateInRun, score } from '../runs/evaluation.ts'
import { inRunFolder, type RunFolder } from '../runs/run-folder.ts'
import { badSetting } from '../shared/errors.ts'

/** Scores a checkpoint, with an adapter or without, on task files and texts, and beside the dense one where that is given. */
export async function evaluate(job: EvaluateJob, context: JobContext): Promise<ResultEvent> {
  const started = performance.now()
  using checkpoint = openCheckpoint(job.checkpoint, job.imageSize)
  const { name, threads } = await chooseBackend(job)
  await announce(job, checkpoint, context.emit)
  await refuseBadFiles(evaluationFiles(job), context)
  const run = async (folder: RunFolder | null): Promise<ResultEvent> => {
    context.emit({ type: 'started', job, backend: name, threads })
    const compared = job.compareWith === undefined ? null : await scoredBeside(job.compareWith, job, folder, context)
    const scores = folder
      ? await evaluateInRun(checkpoint, job.evaluation, 'result', folder, context, job.adapter)
      : await score(checkpoint, job.evaluation, context, { adapter: job.adapter })
    const { parameters } = checkpoint
    return {
      type: 'result',
      parameters: { before: compared?.parameters ?? parameters, after: parameters },
      ...scores,
      ...(compared && { dense: compared.dense, besideDense: await compared.compare(checkpoint, scores) }),
      ...peakMemory(),
      seconds: (performance.now() - started) / 1000,
    }
  }
  const { out } = job
  if (out !== undefined) return await inRunFolder({ ...job, out }, context, run)
  if (context.resume) throw badSetting('out', 'name the folder of the evaluation that is to be resumed')
  return await run(null)
}

/** The dense checkpoint's scores, and what the other's are beside them. */
async function scoredBeside(path: string, job: EvaluateJob, folder: RunFolder | null, context: JobContext) {
  using checkpoint = openCheckpoint(path, job.imageSize)
  const { predictions: _, ...settings } = job.evaluation
  const dense = folder
    ? await evaluateInRun(checkpoint, settings, 'dense', folder, context)
    : await score(checkpoint, settings, context, { stage: 'scoring dense' })
  return {
    dense,
    parameters: checkpoint.parameters,
    async compare(scored: Checkpoint, scores: Scores): Promise<BesideDense> {
      using teacher = openCheckpoint(path, job.imageSize)
      const model = { checkpoint: scored, adapter: job.adapter }
      if (folder) return await besideInRun(model, teacher, job.evaluation, folder, context)
      return await besideDense(model, teacher, { model: scores, dense }, job.evaluation, context)
    },
  }
}
