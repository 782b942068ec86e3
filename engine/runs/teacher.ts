import { isDeepStrictEqual } from 'node:util'
import type { FinetuneJob, JobContext, PruneJob } from '../contract/index.ts'
import { readPreprocessing } from '../data/images/preprocessing.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import { isOfImages } from '../models/encoder-config.ts'
import type { Model } from '../models/family.ts'
import { openTokenizer } from '../models/model-tokenizer.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { badSetting } from '../shared/errors.ts'
import type { Teacher } from '../training/teacher.ts'
import { loadWeights } from './load-weights.ts'

/**
 * The teacher of a job: the dense model that is trained anyway, or another checkpoint, which is loaded beside it; undefined
 * where the loss is of the labels alone.
 *
 * @param model what is trained, with the classes that it will tell apart
 * @param dense the same as its checkpoint has it
 * @param made disposes of what was loaded
 * @throws SecateurError where the other checkpoint does not speak of the same tokens or classes
 */
export async function teacherOf(
  job: FinetuneJob | PruneJob,
  checkpoint: Checkpoint,
  { model, dense }: { model: Model; dense: Model },
  made: DisposableStack,
  context: JobContext,
): Promise<Teacher | undefined> {
  const settings = { share: job.distil, temperature: job.distilTemperature }
  if (job.distil === 0) return undefined
  if (job.teacher === undefined) return { ...settings, model: dense }
  const other = made.use(openCheckpoint(job.teacher, job.imageSize))
  await checkTeacher(other, checkpoint, model.config)
  return { ...settings, model: await loadWeights(other, context, made, job.int8) }
}

async function checkTeacher(teacher: Checkpoint, student: Checkpoint, trained: ModelConfig): Promise<void> {
  const { config } = teacher
  const refuse = (reason: string) => badSetting('teacher', `${teacher.folder} ${reason}`)
  if (isOfImages(trained) !== isOfImages(config))
    throw refuse(`is a ${config.family}, which ${isOfImages(config) ? 'looks at pictures' : 'reads text'}`)
  if (isOfImages(trained) && isOfImages(config)) {
    if (config.patchValues !== trained.patchValues || config.maxPositions !== trained.maxPositions)
      throw refuse('does not cut pictures into the same patches')
    if (!isDeepStrictEqual(config.labels, trained.labels))
      throw refuse('tells other classes apart, or in another order')
    if (!isDeepStrictEqual(readPreprocessing(teacher.folder, config), readPreprocessing(student.folder, trained)))
      throw refuse('sees pictures after another preprocessing')
    return
  }
  if (config.vocabularySize !== trained.vocabularySize)
    throw refuse(`has a vocabulary of ${config.vocabularySize}, the checkpoint one of ${trained.vocabularySize}`)
  const [theirs, own] = [await openTokenizer(teacher), await openTokenizer(student)]
  for (let id = 0; id < Math.min(config.vocabularySize, own.vocabularySize, theirs.vocabularySize); id++)
    if (theirs.token(id) !== own.token(id))
      throw refuse(
        `has another tokenizer: token ${id} is '${theirs.token(id)}', and the checkpoint's '${own.token(id)}'`,
      )
}
