import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { knownHash } from '../checkpoint/known-hash.ts'
import type { FinetuneJob, JobContext, PruneJob } from '../contract/index.ts'
import { readPreprocessing } from '../data/images/preprocessing.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import { isOfImages } from '../models/encoder-config.ts'
import type { Model } from '../models/family.ts'
import { openTokenizer } from '../models/model-tokenizer.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { cacheFolder } from '../shared/cache-folder.ts'
import { badSetting } from '../shared/errors.ts'
import { shortHash } from '../shared/short-hash.ts'
import { teachesItself } from '../training/job-for-model.ts'
import type { Teacher } from '../training/teacher.ts'
import { loadWeights } from './load-weights.ts'
import { StageProgress } from './stage-progress.ts'
import { TopCacheFolder } from './top-cache.ts'

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
  if (job.distil === 0) return undefined
  const settings = { share: job.distil, temperature: job.distilTemperature, hidden: job.distilHidden }
  const other = job.teacher === undefined ? null : made.use(openCheckpoint(job.teacher, job.imageSize))
  if (other) {
    await checkTeacher(other, checkpoint, model.config)
    if (job.distilHidden > 0 && other.config.hiddenSize !== model.config.hiddenSize)
      throw badSetting(
        'distilHidden',
        `${other.folder} has hidden states of ${other.config.hiddenSize} numbers, and the model of ${model.config.hiddenSize}: they cannot be compared`,
      )
  }
  const cache = job.distilCache > 0 ? made.use(await cacheOf(job, other ?? checkpoint, context)) : undefined
  const own = other ? await loadWeights(other, context, made, job.int8) : dense
  return {
    ...settings,
    cache,
    model: own,
    isDense: other === null || teachesItself(job),
  }
}

/** What is known of a teacher, by everything that its answers follow from but what it reads. */
async function cacheOf(
  { distilCache: k, distilTemperature, int8 }: FinetuneJob | PruneJob,
  teacher: Checkpoint,
  { emit, signal }: Pick<JobContext, 'emit' | 'signal'>,
): Promise<TopCacheFolder> {
  const reading = new StageProgress('reading weights', emit)
  const hash = await knownHash(teacher, { signal, progress: (done, total) => reading.report(done, total) })
  const key = createHash('sha256').update(JSON.stringify([1, hash, k, distilTemperature, int8]))
  const folder = join(cacheFolder(), 'teachers', shortHash(key.digest('hex')))
  const warn = (message: string) => emit({ type: 'warning', message })
  return new TopCacheFolder(folder, k, teacher.config.vocabularySize, warn)
}

async function checkTeacher(teacher: Checkpoint, student: Checkpoint, trained: ModelConfig): Promise<void> {
  const { config } = teacher
  const refuse = (reason: string) => badSetting('teacher', `${teacher.folder} ${reason}`)
  if (isOfImages(trained) !== isOfImages(config))
    throw refuse(`is a ${config.family}, which ${isOfImages(config) ? 'looks at images' : 'reads text'}`)
  if (isOfImages(trained) && isOfImages(config)) {
    if (config.patchValues !== trained.patchValues || config.maxPositions !== trained.maxPositions)
      throw refuse('does not cut images into the same patches')
    if (!isDeepStrictEqual(config.labels, trained.labels))
      throw refuse('tells other classes apart, or in another order')
    if (!isDeepStrictEqual(readPreprocessing(teacher.folder, config), readPreprocessing(student.folder, trained)))
      throw refuse('sees images after another preprocessing')
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
