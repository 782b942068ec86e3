import type { Job, MergeJob, SweepJob } from '../contract/index.ts'

/** The runs of a sweep are estimated one by one. */
export type SingleJob = Exclude<Job, SweepJob>

/** A prompt that is continued. */
export interface GenerateWork {
  kind: 'generate'
  /** Tokens of the prompt, and new ones at most. */
  prompt: number
  maxNewTokens: number
}

/** Layers that are measured. */
export interface MeasureWork {
  kind: 'measure'
  batchSize: number
  sequenceLength: number
  calibrationSamples: number
  rank: number
}

/** A GGUF file that is written as a folder. */
export interface ImportWork extends Pick<MergeJob, 'out' | 'outputDtype'> {
  kind: 'import'
}

/** Whatever reads a checkpoint's weights. */
export type Work = SingleJob | GenerateWork | MeasureWork | ImportWork
