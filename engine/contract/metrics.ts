import { z } from 'zod'

export const stepMetricsSchema = z.object({
  step: z.int(),
  loss: z.number().nullable(),
  /** On held-out rows, after the step; only where it was measured then, null where it was not a number. */
  validationLoss: z.number().nullable().optional(),
  /** Fraction of the held-out images whose class is the likeliest one, where the loss was measured on images. */
  validationTop1: z.number().optional(),
  learningRate: z.number(),
  gradientNorm: z.number().nullable(),
  tokens: z.int(),
  sparsity: z
    .object({
      /** Of heads and of channels, in the layers that are pruned. */
      planned: z.number(),
      heads: z.number(),
      channels: z.number(),
      /** Of all parameters; left out by older versions. */
      parameters: z.object({ planned: z.number(), actual: z.number() }).optional(),
    })
    .optional(),
})
export type StepMetrics = z.infer<typeof stepMetricsSchema>

const keptHeads = z.object({ scores: z.array(z.number()), kept: z.array(z.union([z.literal(0), z.literal(1)])) })
/** Channels in at most 64 bins of neighbours. */
const keptChannels = z.object({
  /** Mean score of each bin. */
  scores: z.array(z.number()),
  /** Fraction of each bin that is kept. */
  kept: z.array(z.number()),
  /** Channels of the layer before pruning. */
  count: z.int(),
})
/** A pruning step: what each group scored, and what stays after it. A line of pruning.jsonl. */
export const pruningSnapshotSchema = z.object({
  step: z.int(),
  /** Sparsity that the schedule wants at this step. */
  planned: z.number(),
  layers: z.array(z.object({ heads: keptHeads, channels: keptChannels })),
})
export type PruningSnapshot = z.infer<typeof pruningSnapshotSchema>

/** A text that the model, with its adapter and masks, wrote after a step: greedily. A line of samples.jsonl. */
export const sampleSchema = z.object({ step: z.int(), prompt: z.string(), text: z.string() })
export type Sample = z.infer<typeof sampleSchema>

/** What a run is busy with. */
export const stageSchema = z.enum([
  'checking data',
  'reading data',
  'reading weights',
  'writing self-data',
  'scoring dense',
  'training',
  'validating',
  'generating samples',
  'writing',
  'proving',
  'calibrating',
  'scoring',
  'comparing',
  'measuring speed',
  'sweeping',
])
export type Stage = z.infer<typeof stageSchema>

/** What became of the rows of training data. */
export const rowCountsSchema = z.object({
  /** Rows read, and those that became examples. */
  rows: z.int(),
  documents: z.int(),
  /** Rows without text or without an answer to learn, and those of them that have fields for an answer. */
  blank: z.int(),
  unanswered: z.int(),
  /** Conversations that were cut at the sequence length, and those of them that had nothing left to be learnt. */
  cut: z.int(),
  dropped: z.int(),
  /** Rows that could not be read, where `badRows` skips them. */
  skipped: z.int(),
  /** Length of sequences with which every conversation has something to learn, and with which none is cut. */
  needed: z.int(),
  longest: z.int(),
})
export type RowCounts = z.infer<typeof rowCountsSchema>
