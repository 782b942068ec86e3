import type { FinetuneJob, PruneJob } from '../contract/index.ts'
import { rowsAtOnce } from '../evaluation/batched-prompts.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { generationFloats } from './forward-memory.ts'
import type { HeldModel } from './memory-facts.ts'
import type { Work } from './work.ts'

type TrainingJob = FinetuneJob | PruneJob

/** Bytes of a token of text, with what JSON adds. */
const bytesPerToken = 5
/** Bytes of weights a second that pass through a processor for a token of each row, and tokens of a vocabulary that are sorted. */
const weightSpeed = 5e9
const sortSpeed = 5e6

/** How many tokens the rows have at most that the dense model writes, if their prompts are no longer than those of texts. */
export const selfDataTokens = (job: TrainingJob): number => job.selfData * (job.selfDataPrompt + job.selfDataTokens)

/** Bytes of the rows at most, in the run folder and in the cache. */
export const selfDataDisk = (job: Work): number => ('selfData' in job ? 2 * bytesPerToken * selfDataTokens(job) : 0)

/** Floats that writing holds beside the weights. Prompts of instruction data are taken to be as long as a training sequence. */
export function selfDataFloats(model: HeldModel, job: TrainingJob): number {
  if (job.selfData === 0) return 0
  const { width, rows } = shapeOf(model.config, job)
  return generationFloats(model, width, job.selfDataTokens, rows)
}

function shapeOf(config: ModelConfig, job: TrainingJob) {
  const width = Math.min(job.sequenceLength, config.maxPositions)
  return { width, rows: Math.min(job.selfData, rowsAtOnce(config, width, job.selfDataTokens)) }
}

/** Seconds that writing takes beside its arithmetic, and how many passes through the model it makes. */
export function selfDataPasses(
  job: TrainingJob,
  { config, parameters }: { config: ModelConfig; parameters: number },
): { passes: number; seconds: number } {
  if (job.selfData === 0) return { passes: 0, seconds: 0 }
  const passes = Math.ceil(job.selfData / shapeOf(config, job).rows) * job.selfDataTokens
  const draws = job.selfDataTemperature > 0 ? job.selfData * job.selfDataTokens * config.vocabularySize : 0
  return { passes, seconds: (passes * 4 * parameters) / weightSpeed + draws / sortSpeed }
}
