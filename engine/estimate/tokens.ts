import type { EvaluationSettings, FinetuneJob, PruneJob } from '../contract/index.ts'
import { detectDataset } from '../datasets/detect.ts'
import { tokenLengths } from '../datasets/token-lengths.ts'
import type { WorkControl } from '../shared/work-control.ts'

/** Bytes of text in a token, where nothing better is known. */
const bytesPerToken = 4
/** Rows whose lengths stand for all rows of a data file. */
const sampledRows = 100

/** Optimiser steps of a job that says how many passes through its data it makes. */
export async function stepsOf(job: FinetuneJob | PruneJob, control: WorkControl): Promise<number> {
  let tokens = 0
  for (const path of job.data) tokens += await tokensOf(path, job, control)
  return Math.max(1, Math.ceil((job.epochs * tokens) / (job.batchSize * job.sequenceLength * job.gradientAccumulation)))
}

async function tokensOf(
  path: string,
  { checkpoint, field, trainOn, maxDocuments }: FinetuneJob | PruneJob,
  control: WorkControl,
): Promise<number> {
  const { kind, rows, bytes } = await detectDataset({ path }, control)
  const read = Math.min(rows ?? Infinity, maxDocuments ?? Infinity)
  if (read === Infinity) return bytes / bytesPerToken
  const quiet = { ...control, progress: () => {} }
  const { tokens, examples, complete } = await tokenLengths(
    // Bad rows are told when the files are checked: see check-data.ts.
    { path, kind, field, checkpoint, trainOn, badRows: 'skip', sample: Math.min(read, sampledRows) },
    quiet,
  )
  return complete ? tokens : (tokens / examples) * read
}

/** About how many tokens an evaluation reads: the bytes of its files, or of the part of them that is scored. */
export async function scoredTokens(settings: EvaluationSettings, control: WorkControl): Promise<number> {
  let tokens = 0
  for (const path of Object.values(settings.tasks)) {
    const { rows, bytes } = await detectDataset({ path }, control)
    const share = settings.limit === undefined || rows === null ? 1 : Math.min(1, settings.limit / rows)
    tokens += (share * (1 + settings.fewShot) * bytes) / bytesPerToken
  }
  for (const path of Object.values(settings.perplexity)) {
    const { bytes } = await detectDataset({ path }, control)
    tokens += Math.min((settings.maxWindows ?? Infinity) * settings.window, bytes / bytesPerToken)
  }
  return tokens
}
