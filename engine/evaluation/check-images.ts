import type { EvaluationSettings } from '../contract/index.ts'
import { openImageSet } from '../data/images/image-set.ts'
import { readPreprocessing } from '../data/images/preprocessing.ts'
import { type EncoderConfig, isOfImages } from '../models/encoder-config.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { badFile, badSetting, collectProblems, type SecateurError } from '../shared/errors.ts'
import { matchClasses } from './match-classes.ts'

/** Settings that speak of text, which a model of images does not read. */
const textSettings = ['tasks', 'perplexity', 'fewShot', 'latency', 'prompts', 'lmEvalJson'] as const

/** What is scored: a checkpoint of any kind, by its headers. */
export interface ScoredCheckpoint {
  folder: string
  config: ModelConfig
}

/** @throws SecateurError where the settings ask a model of images for anything but images, or a language model for images. */
export function checkKindOfEvaluation(settings: EvaluationSettings, { folder, config }: ScoredCheckpoint): void {
  if (!isOfImages(config)) {
    if (settings.images === undefined) return
    throw badSetting('images', `${folder} is a language model, which does not look at images`)
  }
  for (const name of textSettings) {
    const value = settings[name]
    const isSet = typeof value === 'object' ? Object.keys(value).length > 0 : Boolean(value)
    if (isSet) throw badSetting(name, `${folder} is a model of images, which reads no text: give --images`)
  }
  if (settings.images === undefined) throw badSetting('images', 'say which images: a folder of class folders')
}

/** @throws SecateurError where there is nothing that tells classes apart */
export function checkClassifier({ folder, config }: ScoredCheckpoint): void {
  if ((config as EncoderConfig).labels.length === 0)
    throw badFile(folder, undefined, 'has no classifier: fine-tune it on labelled images first')
}

/** Why scoring images would be refused, without decoding them; empty where nothing is wrong. */
export async function imageProblems(
  settings: EvaluationSettings,
  checkpoint: ScoredCheckpoint,
  signal: AbortSignal,
): Promise<SecateurError[]> {
  const problems: SecateurError[] = []
  await collectProblems(problems, async () => {
    checkKindOfEvaluation(settings, checkpoint)
    checkClassifier(checkpoint)
    const config = checkpoint.config as EncoderConfig
    readPreprocessing(checkpoint.folder, config)
    const set = await openImageSet(settings.images!, 'test', signal)
    matchClasses(set.classes, config.labels, set.path)
  })
  return problems
}
