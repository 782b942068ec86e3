import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { FinetuneJob, PruneJob } from '../contract/index.ts'
import { configOf } from '../models/checkpoint.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { cacheFolder } from '../shared/cache-folder.ts'
import { sizeText } from '../shared/size-text.ts'
import { sum } from '../shared/sum.ts'
import { selfDataTokens } from './self-data.ts'
import type { Work } from './work.ts'

type TrainingJob = FinetuneJob | PruneJob

/** Bytes of text in a token, at least: of a kept sequence, more tokens are counted rather than less. */
const bytesPerToken = 3

/** The config of what a job learns from, the model itself where it names no other; null where it learns from labels alone. */
export const teacherConfig = ({ distil, teacher }: TrainingJob, config: ModelConfig): ModelConfig | null =>
  distil === 0 ? null : teacher === undefined ? config : configOf(teacher)

/** Fraction of the steps in which the teacher passes: with its likeliest tokens kept, those of the first epoch. */
export const taughtShare = ({ distilCache, steps, epochs }: TrainingJob): number =>
  distilCache > 0 && steps === undefined ? Math.min(1, 1 / epochs) : 1

/** Bytes of a teacher's likeliest tokens at most: an id and a share of each, of all positions that are trained on. */
export function topCacheBytes(job: Work): number {
  if (!('distilCache' in job) || job.distilCache === 0) return 0
  return 8 * job.distilCache * Math.min(tokensOfSteps(job), tokensOfData(job))
}

const tokensOfSteps = ({ steps = Infinity, batchSize, gradientAccumulation, sequenceLength }: TrainingJob): number =>
  steps * batchSize * gradientAccumulation * sequenceLength

function tokensOfData(job: TrainingJob): number {
  const own = selfDataTokens(job)
  if (own > 0 && job.selfDataUse === 'instead') return own
  // A file that is not there is told of by what reads it.
  const bytes = job.data.map((file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0)
  return own + sum(bytes) / bytesPerToken
}

/** What stays on the disk after the run, and where. */
export function topCacheWarnings(job: Work): string[] {
  const bytes = topCacheBytes(job)
  if (bytes === 0) return []
  return [
    `The teacher's likeliest tokens take up to ${sizeText(bytes)} in ${join(cacheFolder(), 'teachers')}, where later runs find them: remove that folder when none needs them.`,
  ]
}
