import { existsSync, realpathSync } from 'node:fs'
import { z } from 'zod'
import {
  conflictWithTeacher,
  criteria,
  type FinetuneJob,
  linearName,
  type PruneJob,
  trainingSettings,
} from '../contract/index.ts'
import type { LinearName } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { linearNames } from '../models/tensors.ts'
import { badSetting } from '../shared/errors.ts'

type TrainingJob = FinetuneJob | Omit<PruneJob, 'out'>

/** What the settings of the training are where a job says nothing of them. */
const defaults = z.object(trainingSettings).partial({ data: true }).parse({})

/** Settings that speak of text alone. */
const ofText = [
  'field',
  'trainOn',
  'packing',
  'sampleEvery',
  'samplePrompts',
  'selfData',
  'distilCache',
  'distilHidden',
] as const

/**
 * A job with what its model decides: the linear layers that get an adapter where the job leaves them open, and the length of
 * an image in tokens.
 *
 * @throws SecateurError where a setting has no meaning for the model
 */
export function forModel<Given extends TrainingJob>(job: Given, config: ModelConfig): Given {
  const isOfImages = config.patchValues !== undefined
  const names = linearNames(config)
  const everything = isOfImages && isDefault(job, 'targetModules')
  const targetModules = everything ? linearName.options.filter((name) => names.includes(name)) : job.targetModules
  const unknown = targetModules.find((name: LinearName) => !names.includes(name))
  if (unknown !== undefined)
    throw badSetting('targetModules', `a ${config.family} has no linear layer ${unknown}: it has ${names.join(', ')}`)
  checkTeaching(job, config)
  if (
    job.distil > 0 &&
    job.teacher === undefined &&
    job.kind === 'prune' &&
    criteria[job.criterion].removes === 'weights'
  )
    throw badSetting(
      'distil',
      `${job.criterion} sets weights of the model itself to zero, so that no dense model is left to learn from: leave it out, or name another teacher`,
    )
  if (isOfImages) return { ...forImages(job, config), targetModules }
  if (job.augmentation !== 'none')
    throw badSetting('augmentation', `a ${config.family} is a language model: leave it out`)
  if (job.trainClassifier) throw badSetting('trainClassifier', `a ${config.family} has no classifier: leave it out`)
  return job
}

/** @throws SecateurError where settings of the teacher mean nothing together */
function checkTeaching(job: TrainingJob, { patchValues, vocabularySize }: ModelConfig): void {
  const unheard = (['teacher', 'distilCache', 'distilHidden'] as const).find((name) => job[name] !== defaults[name])
  if (job.distil === 0 && unheard !== undefined)
    throw badSetting(unheard, 'is of a teacher, and the share of its part (--distil) is 0: give both, or leave it out')
  if (job.distilCache > 0 && job.distilHidden > 0)
    throw badSetting(
      'distilHidden',
      'needs the hidden states of the teacher, and with --distil-cache only its likeliest tokens are there: leave one of them out',
    )
  if (patchValues === undefined && job.distilCache > vocabularySize)
    throw badSetting('distilCache', `${job.distilCache} tokens are more than the ${vocabularySize} of the vocabulary`)
  const conflict = conflictWithTeacher(teachesItself(job) ? { ...job, teacher: undefined } : job)
  if (conflict) throw badSetting(conflict.field, conflict.message)
}

/** Whether a job names what it trains as its teacher, by whatever path. */
export function teachesItself({ checkpoint, teacher }: Pick<TrainingJob, 'checkpoint' | 'teacher'>): boolean {
  // A teacher that is missing is told of by what reads it.
  if (teacher === undefined || !existsSync(teacher) || !existsSync(checkpoint)) return false
  return realpathSync(teacher) === realpathSync(checkpoint)
}

function forImages<Given extends TrainingJob>(job: Given, config: ModelConfig): Given {
  for (const name of ofText)
    if (!isDefault(job, name))
      throw badSetting(name, `a ${config.family} is a model of images, which reads no text: leave it out`)
  const tokens = config.maxPositions
  const tooOther = (name: string) =>
    badSetting(name, `an image is ${tokens} tokens in this model, whatever is asked for: leave it out`)
  if (job.sequenceLength !== tokens && !isDefault(job, 'sequenceLength')) throw tooOther('sequenceLength')
  if (job.kind === 'prune' && (job.calibrationSequenceLength ?? tokens) !== tokens)
    throw tooOther('calibrationSequenceLength')
  if (job.data.length > 1)
    throw badSetting('data', `${job.data.length} paths are given; images come from one folder or list`)
  return { ...job, sequenceLength: tokens }
}

const isDefault = (job: TrainingJob, name: keyof typeof defaults & keyof TrainingJob): boolean =>
  JSON.stringify(job[name]) === JSON.stringify(defaults[name])

/**
 * Whether a criterion would score all groups alike before the first step: a classifier of zeros passes no gradient on.
 *
 * @throws SecateurError that says so, where all leaves at once
 */
export function checkScorableAtOnce(job: FinetuneJob | PruneJob, isNew: boolean): void {
  if (!isNew || job.kind !== 'prune' || job.schedule !== 'one-shot') return
  const { needs, title } = criteria[job.criterion]
  if (needs !== 'adapter gradients' && needs !== 'weight gradients') return
  throw badSetting(
    'schedule',
    `${title} looks at gradients, and before the first step a new classifier passes none on: fine-tune and merge first, or prune step by step`,
  )
}

/**
 * Whether the dense model can teach what the data ask for.
 *
 * @param isNew whether the model gets a new classifier, since its own does not fit the classes
 * @throws SecateurError where it has no logits for them
 */
export function checkTeachable({ distil, teacher }: Pick<FinetuneJob, 'distil' | 'teacher'>, isNew: boolean): void {
  if (distil > 0 && teacher === undefined && isNew)
    throw badSetting(
      'distil',
      'the dense model does not know the classes of these images, so it cannot teach them: fine-tune and merge first, name a teacher that knows them, or leave it out',
    )
}
