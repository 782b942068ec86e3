import type { FinetuneJob, PruneJob, RowCounts } from '../contract/index.ts'
import { heldOutCount } from '../data/held-out.ts'
import { imageCounts } from '../data/images/image-counts.ts'
import { type ImageSplit, openImageSet } from '../data/images/image-set.ts'
import { readPreprocessing } from '../data/images/preprocessing.ts'
import { matchClasses, trainedClasses } from '../evaluation/match-classes.ts'
import { parametersBeside, withClasses } from '../lora/classifier.ts'
import { adaptedConfig } from '../lora/peft.ts'
import { readAdapter } from '../lora/read-peft.ts'
import { type EncoderConfig, isOfImages } from '../models/encoder-config.ts'
import type { ModelConfig } from '../models/model-config.ts'
import type { TargetModel } from '../pruning/job-target.ts'
import { forModel } from '../training/job-for-model.ts'

/** A checkpoint that looks at images, by its headers. */
export interface ImageModel {
  folder: string
  config: ModelConfig
}

type TrainingJob = FinetuneJob | Omit<PruneJob, 'out'>

/** The config that a job's result, or a checkpoint with an adapter, has: with the classes that were trained. */
export async function configAfter(
  job: TrainingJob | { kind: string; adapter?: string | undefined },
  { config }: ImageModel,
  signal: AbortSignal,
): Promise<ModelConfig> {
  if ('adapter' in job && job.adapter !== undefined) return adaptedConfig(config, readAdapter(job.adapter))
  if (!('data' in job)) return config
  const { labels, newFor } = await trainedIn(job, config as EncoderConfig, signal)
  return newFor === null ? config : withClasses(config as EncoderConfig, labels)
}

/**
 * What a job prunes, with the classes that it trains: what is kept and removed is counted beside that, and a new classifier is
 * no part of either. The checkpoint itself where it keeps its own.
 */
export async function withTrainedClasses<Model extends TargetModel & { folder: string }>(
  job: TrainingJob,
  checkpoint: Model,
  signal: AbortSignal,
): Promise<TargetModel> {
  if (!isOfImages(checkpoint.config)) return checkpoint
  const config = await configAfter(job, checkpoint, signal)
  if (config === checkpoint.config) return checkpoint
  return { config, parameters: parametersBeside(checkpoint, config), dtype: checkpoint.dtype }
}

const trainedIn = async (job: TrainingJob, { labels }: EncoderConfig, signal: AbortSignal) =>
  trainedClasses(await openImageSet(job.data[0]!, 'train', signal), labels)

/** What becomes of a job's training images, none of which is decoded. @throws SecateurError where the job would be refused */
export async function trainingImages(job: TrainingJob, model: ImageModel, signal: AbortSignal): Promise<RowCounts> {
  const config = model.config as EncoderConfig
  forModel(job, config)
  readPreprocessing(model.folder, config)
  const set = await openImageSet(job.data[0]!, 'train', signal)
  trainedClasses(set, config.labels)
  const count = Math.min(set.images.length, job.maxDocuments ?? Infinity)
  if (typeof job.validation === 'number') heldOutCount(count, job.validation)
  return imageCounts(count, 0, config.maxPositions)
}

/** @throws SecateurError where other images of a job cannot be read, or are of classes that it does not train */
export async function checkOtherImages(
  job: TrainingJob,
  path: string,
  split: ImageSplit,
  { config }: ImageModel,
  signal: AbortSignal,
): Promise<void> {
  const { labels } = await trainedIn(job, config as EncoderConfig, signal)
  const set = await openImageSet(path, split, signal)
  matchClasses(set.classes, labels, set.path)
}
