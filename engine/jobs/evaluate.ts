import { chooseBackend } from '../backends/choose.ts'
import {
  type EvaluateJob,
  type EvaluationSettings,
  isInParts,
  type JobContext,
  type ResultEvent,
  type Scores,
} from '../contract/index.ts'
import { announce } from '../estimate/announce.ts'
import { announceWork } from '../estimate/phase-work.ts'
import { refuseBadFiles } from '../estimate/check-data.ts'
import { evaluationFiles } from '../estimate/file-groups.ts'
import { peakMemory } from '../estimate/memory.ts'
import { finishedRunner, refuseUnrunnable } from '../llama-cpp/finished-runner.ts'
import { parametersBeside } from '../lora/classifier.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import { isOfImages } from '../models/encoder-config.ts'
import { besideDense, besideInRun } from '../runs/beside-dense.ts'
import { evaluateInRun, score } from '../runs/evaluation.ts'
import { replacedBy } from '../runs/output-files.ts'
import { inRunFolder, type RunFolder } from '../runs/run-folder.ts'
import type { FinishedRunner } from '../runs/speed-and-examples.ts'
import { startedOf } from '../runs/started.ts'
import { badSetting } from '../shared/errors.ts'

/** Scores a checkpoint, with an adapter or without, on task files and texts, and beside the dense one where that is given. */
export async function evaluate(job: EvaluateJob, context: JobContext): Promise<ResultEvent> {
  if (isInParts(job)) return (await import('./evaluate-in-parts.ts')).evaluateInParts(job, context)
  const started = performance.now()
  const { out, adapter, evaluation } = job
  using checkpoint = openCheckpoint(job.checkpoint, job.imageSize)
  if (!isOfImages(checkpoint.config)) refuseNothing(evaluation)
  const choice = await chooseBackend(job)
  await refuseUnrunnable(job, checkpoint, choice)
  await announce(job, checkpoint, context.emit)
  const scored = await refuseBadFiles(evaluationFiles(job), context)
  const finished = finishedRunner(job, choice)
  const replaces = replacedBy(job)
  const run = async (folder: RunFolder | null): Promise<ResultEvent> => {
    context.emit(startedOf(job, choice))
    await announceWork(job, checkpoint, checkpoint.config.layers, context, scored)
    if (job.compareWith !== undefined) context.emit({ type: 'phase', phase: 'scoring dense' })
    using teacher = job.compareWith === undefined ? null : openCheckpoint(job.compareWith, job.imageSize)
    const dense = teacher && (await scoresOfDense(teacher, job, { folder, finished }, context))
    context.emit({ type: 'phase', phase: 'scoring' })
    const scores = folder
      ? await evaluateInRun(checkpoint, evaluation, 'result', folder, context, { finished, adapter, replaces })
      : await score(checkpoint, evaluation, context, { finished, adapter, replaces })
    const model = { checkpoint, adapter }
    if (teacher) context.emit({ type: 'phase', phase: 'comparing' })
    const beside =
      teacher &&
      dense &&
      (folder
        ? await besideInRun(model, teacher, evaluation, folder, context)
        : await besideDense(model, teacher, { model: scores, dense }, evaluation, context))
    const { parameters, config } = checkpoint
    return {
      type: 'result',
      parameters: { before: teacher ? parametersBeside(teacher, config) : parameters, after: parameters },
      ...scores,
      ...(dense && beside && { dense, besideDense: beside }),
      ...peakMemory(),
      seconds: (performance.now() - started) / 1000,
    }
  }
  if (out !== undefined) return await inRunFolder({ ...job, out }, context, run)
  if (context.resume) throw badSetting('out', 'name the folder of the evaluation that is to be resumed')
  return await run(null)
}

/** Images are asked for where the kind of the evaluation is checked. */
function refuseNothing({ tasks, perplexity, images, latency, prompts }: EvaluationSettings): void {
  const named = Object.keys(tasks).length + Object.keys(perplexity).length + prompts.length > 0
  if (!named && !latency && images === undefined)
    throw badSetting(
      'task',
      'nothing is scored: name tasks (--task NAME=FILE) or texts (--perplexity NAME=FILE), measure speed (--latency), or give prompts to continue (--prompts TEXT)',
    )
}

/** The dense checkpoint's scores. */
async function scoresOfDense(
  dense: Checkpoint,
  { evaluation }: EvaluateJob,
  { folder, finished }: { folder: RunFolder | null; finished: FinishedRunner },
  context: JobContext,
): Promise<Scores> {
  const { predictions: _, lmEvalJson: __, ...settings } = evaluation
  return folder
    ? await evaluateInRun(dense, settings, 'dense', folder, context, { finished })
    : await score(dense, settings, context, { finished, stage: 'scoring dense' })
}
