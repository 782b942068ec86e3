import type { EvaluationSettings, JobContext, Scores, Stage } from '../contract/index.ts'
import { openImageSet } from '../data/images/image-set.ts'
import { openImageStore } from '../data/images/image-store.ts'
import { nameOf } from '../data/images/labelled-images.ts'
import { readPreprocessing } from '../data/images/preprocessing.ts'
import { checkClassifier, type ScoredCheckpoint } from '../evaluation/check-images.ts'
import { classify } from '../evaluation/classification.ts'
import { matchClasses } from '../evaluation/match-classes.ts'
import type { ClassifierPredictions } from '../evaluation/tally.ts'
import type { Adapter } from '../lora/adapter.ts'
import type { EncoderConfig } from '../models/encoder-config.ts'
import type { Model } from '../models/family.ts'
import { StageProgress } from './stage-progress.ts'

export interface ImageScoring {
  adapter?: Adapter | undefined
  stage: Stage
  onPredictions: (found: ClassifierPredictions) => void
}

/**
 * Scores a classifier on the test images that the settings name.
 *
 * @param checkpoint with the classes of the adapter, where there is one
 */
export async function scoreImages(
  model: Model,
  checkpoint: ScoredCheckpoint,
  settings: EvaluationSettings,
  { emit, signal }: JobContext,
  { adapter, stage, onPredictions }: ImageScoring,
): Promise<NonNullable<Scores['classification']>> {
  checkClassifier(checkpoint)
  const config = checkpoint.config as EncoderConfig
  const set = await openImageSet(settings.images!, 'test', signal)
  const classOf = matchClasses(set.classes, config.labels, set.path)
  const preprocessing = readPreprocessing(checkpoint.folder, config)
  const reading = new StageProgress('reading data', emit)
  using store = await openImageStore(set, preprocessing, config.imageSize, {
    badRows: settings.badImages,
    skippedBy: '--bad-images skip',
    signal,
    onProgress: (done, total) => reading.report(done, total),
  })
  for (const message of store.broken) emit({ type: 'warning', message: `left out: ${message}` })
  for (const message of store.notes) emit({ type: 'warning', message })
  const progress = new StageProgress(stage, emit, ['images'])
  const length = config.maxPositions
  const rows = Math.max(1, Math.min(store.labels.length, Math.floor(settings.batchTokens / length)))
  const { score, predictions } = await classify(model, {
    store,
    labels: config.labels,
    classOf,
    batch: { ...config, rows, length, preprocessing },
    adapter,
    limit: settings.limit,
    signal,
    onProgress: (done, total) => progress.report(done, total, 'images'),
  })
  onPredictions(predictions)
  return score
}

/** A line of the file of predictions for each image. */
export function* linesOf({ classes, images, ...found }: ClassifierPredictions): Generator<object> {
  for (const [at, image] of images.entries())
    yield {
      task: 'images',
      file: nameOf(image),
      label: classes[found.labels[at]!]!,
      predicted: classes[found.predicted[at]!]!,
      logLikelihoods: { label: found.logLikelihoods.label[at]!, predicted: found.logLikelihoods.predicted[at]! },
    }
}
