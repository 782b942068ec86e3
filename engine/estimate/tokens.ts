import { type EvaluationSettings, examplesOf, type FinetuneJob, type PruneJob } from '../contract/index.ts'
import { type ImageSplit, openImageSet } from '../data/images/image-set.ts'
import { detectDataset } from '../datasets/detect.ts'
import { tokenLengths } from '../datasets/token-lengths.ts'
import { bestLength } from '../evaluation/shared-stems.ts'
import { configOf } from '../models/checkpoint.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { selfDataTokens } from './self-data.ts'

/** Bytes of text in a token, where nothing better is known. */
const bytesPerToken = 4
/** Rows whose lengths stand for all rows of a data file. */
const sampledRows = 100

/** Optimiser steps of a job that says how many passes through its data it makes. */
export async function stepsOf(job: FinetuneJob | PruneJob, control: WorkControl): Promise<number> {
  let tokens = selfDataTokens(job)
  if (tokens === 0 || job.selfDataUse === 'beside') tokens += await trainedTokens(job, control)
  return Math.max(1, Math.ceil((job.epochs * tokens) / (job.batchSize * job.sequenceLength * job.gradientAccumulation)))
}

/** About how many tokens the rows of the data have that are trained on. */
async function trainedTokens(job: FinetuneJob | PruneJob, control: WorkControl): Promise<number> {
  let tokens = 0
  for (const path of job.data) tokens += await tokensOf(path, job, control)
  return tokens * (1 - (await heldOutShare(job, control)))
}

/** About how many tokens the validation of a job reads each time; 0 where it has none. */
export async function validationTokens(job: FinetuneJob | PruneJob, control: WorkControl): Promise<number> {
  const { validation } = job
  if (validation === undefined) return 0
  if (typeof validation === 'string')
    return await tokensOf(validation, { ...job, maxDocuments: undefined }, control, 'test')
  let tokens = 0
  for (const path of job.data) tokens += await tokensOf(path, job, control)
  return tokens * (await heldOutShare(job, control))
}

/** Fraction of the rows of the training data that are held out of it. */
async function heldOutShare(job: FinetuneJob | PruneJob, control: WorkControl) {
  const { validation, data, maxDocuments } = job
  if (typeof validation !== 'number') return 0
  if (validation < 1) return validation
  const { patchValues, maxPositions } = configOf(job.checkpoint, job.imageSize)
  if (patchValues !== undefined)
    return Math.min(1, (validation * maxPositions) / (await tokensOf(data[0]!, job, control)))
  let rows = 0
  for (const path of data) rows += (await detectDataset({ path }, control)).rows ?? Infinity
  return Math.min(1, validation / Math.min(rows, maxDocuments ?? Infinity))
}

async function tokensOf(
  path: string,
  { checkpoint, imageSize, field, trainOn, maxDocuments }: FinetuneJob | PruneJob,
  control: WorkControl,
  split: ImageSplit = 'train',
): Promise<number> {
  const { patchValues, maxPositions } = configOf(checkpoint, imageSize)
  if (patchValues !== undefined) {
    const { images } = await openImageSet(path, split, control.signal)
    return Math.min(images.length, maxDocuments ?? Infinity) * maxPositions
  }
  const { kind, rows, bytes } = await detectDataset({ path }, control)
  const read = Math.min(rows ?? Infinity, maxDocuments ?? Infinity)
  if (read === Infinity) return bytes / bytesPerToken
  const quiet = { ...control, progress: () => {} }
  const {
    tokens,
    rows: seen,
    complete,
  } = await tokenLengths(
    // Bad rows are told when the files are checked: see check-data.ts.
    { path, kind, field, checkpoint, trainOn, badRows: 'skip', sample: Math.min(read, sampledRows) },
    quiet,
  )
  // Rows that are no examples make none elsewhere in the file either.
  return complete ? tokens : (tokens / seen) * read
}

/**
 * About how many tokens an evaluation reads of each task and text: the bytes of its file, or of the part that is scored.
 *
 * @param imageTokens of an image
 * @param known tokens of those that were read already
 */
export async function scoredTokens(
  settings: EvaluationSettings,
  imageTokens: number,
  control: WorkControl,
  known: Readonly<Record<string, number>> = {},
): Promise<Record<string, number>> {
  const tokens: Record<string, number> = { ...known }
  if (settings.images !== undefined) {
    const { images } = await openImageSet(settings.images, 'test', control.signal)
    tokens['images'] = Math.min(images.length, settings.limit ?? Infinity) * imageTokens
  }
  for (const [name, path] of Object.entries(settings.tasks)) {
    if (name in known) continue
    const { rows, bytes } = await detectDataset({ path }, control)
    const share = settings.limit === undefined || rows === null ? 1 : Math.min(1, settings.limit / rows)
    const examples = examplesOf(name, settings.fewShot)
    const together =
      name === 'mmlu' ? rowsTogether(examples, rows === null ? usualRow : bytes / bytesPerToken / rows, settings) : 1
    tokens[name] = (share * (1 + examples / together) * bytes) / bytesPerToken
  }
  for (const [name, path] of Object.entries(settings.perplexity)) {
    if (name in known) continue
    const { bytes } = await detectDataset({ path }, control)
    tokens[name] = Math.min((settings.maxWindows ?? Infinity) * settings.window, bytes / bytesPerToken)
  }
  return tokens
}

/** Tokens of a row of MMLU, where nothing better is known. */
const usualRow = 75

/** About how many rows of a subject of MMLU share their examples in a row of a batch: see evaluation/shared-stems.ts. */
function rowsTogether(
  examples: number,
  rowTokens: number,
  { batchTokens, limit = Infinity }: EvaluationSettings,
): number {
  const stem = examples * rowTokens
  return Math.max(1, Math.min(limit, (Math.min(batchTokens, bestLength(stem)) - stem) / rowTokens))
}
