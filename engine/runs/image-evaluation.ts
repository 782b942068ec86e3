import type { EvaluationSettings, JobContext, Scores, Stage } from '../contract/index.ts'
import { openImageSet } from '../data/images/image-set.ts'
import { openImageStore } from '../data/images/image-store.ts'
import { readPreprocessing } from '../data/images/preprocessing.ts'
import { classify, type Prediction } from '../evaluation/classification.ts'
import { matchClasses } from '../evaluation/match-classes.ts'
import type { Adapter } from '../lora/adapter.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import type { EncoderConfig } from '../models/encoder-config.ts'
import type { Model } from '../models/family.ts'
import { badFile, badSetting } from '../shared/errors.ts'
import { StageProgress } from './stage-progress.ts'

/** Settings that speak of text, which a model of images does not read. */
const textSettings = ['tasks', 'perplexity', 'fewShot', 'latency', 'prompts'] as const

/** @throws SecateurError where the settings ask a model of images for anything but pictures. */
export function checkImageEvaluation(settings: EvaluationSettings, checkpoint: Checkpoint): void {
  for (const name of textSettings) {
    const value = settings[name]
    const isSet = typeof value === 'object' ? Object.keys(value).length > 0 : Boolean(value)
    if (isSet) throw badSetting(name, `${checkpoint.folder} is a model of images, which reads no text: give --images`)
  }
  if (settings.images === undefined) throw badSetting('images', 'say which pictures: a folder of class folders')
  if ((checkpoint.config as EncoderConfig).labels.length === 0)
    throw badFile(checkpoint.folder, undefined, 'has no classifier: fine-tune it on labelled pictures first')
}

export interface ImageScoring {
  adapter?: Adapter | undefined
  stage: Stage
  writeRows: (rows: readonly Prediction[]) => void
}

/** Scores a classifier on the test pictures that the settings name. */
export async function scoreImages(
  model: Model,
  checkpoint: Checkpoint,
  settings: EvaluationSettings,
  { emit, signal }: JobContext,
  { adapter, stage, writeRows }: ImageScoring,
): Promise<NonNullable<Scores['classification']>> {
  const config = checkpoint.config as EncoderConfig
  const set = await openImageSet(settings.images!, 'test', signal)
  const classOf = matchClasses(set.classes, config.labels, set.path)
  const preprocessing = readPreprocessing(checkpoint.folder, config.source, config.imageSize, config.colours)
  const reading = new StageProgress('reading data', emit)
  using store = await openImageStore(set, preprocessing, config.imageSize, {
    badRows: settings.badImages,
    signal,
    onProgress: (done, total) => reading.report(done, total),
  })
  for (const message of store.broken) emit({ type: 'warning', message: `left out: ${message}` })
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
  writeRows(predictions)
  return score
}
