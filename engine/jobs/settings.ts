import { z } from 'zod'
import { shapeNames } from '../bench/shapes.ts'
import { machineSettings, most, pruneSchema, runnerSettings, samplingSettings } from '../contract/index.ts'

// Settings of the commands that leave no run. They stand apart from the commands' code, so that what only lists the flags
// need not load the engine.

const pruning = pruneSchema.shape

export const measureSchema = z.strictObject({
  checkpoint: z.string().min(1),
  adapter: z.string().min(1).optional().describe('PEFT adapter folder to apply; default: a fresh one'),
  data: pruning.data.describe('text to measure on'),
  field: pruning.field,
  maxDocuments: pruning.maxDocuments,
  calibrationSamples: pruning.calibrationSamples.describe('sequences of text to measure on'),
  sequenceLength: pruning.sequenceLength,
  batchSize: pruning.batchSize.describe('sequences in a batch'),
  ratio: pruning.ratio.describe('fraction removed, where masks are compared'),
  rank: pruning.rank,
  headGroups: pruning.headGroups,
  seed: pruning.seed,
  ...machineSettings,
})
export type MeasureSettings = z.infer<typeof measureSchema>

export const generateSchema = z.strictObject({
  checkpoint: z.string().min(1),
  prompt: z.string().default('').describe('text to continue; empty: from the start token'),
  maxNewTokens: z.int().min(1).max(most.tokens).default(64).describe('new tokens at most'),
  greedy: z.boolean().default(false).describe('always take the likeliest token'),
  temperature: z.number().positive().max(most.factor).default(0.8).describe('above 1 more surprising, below 1 less'),
  ...samplingSettings,
  ...runnerSettings,
  ...machineSettings,
})
export type GenerateSettings = z.infer<typeof generateSchema>

export const keptSchema = z.strictObject({
  remove: z.boolean().default(false).describe('remove them'),
})
export type KeptSettings = z.infer<typeof keptSchema>

export const benchSchema = z.strictObject({
  shapes: z.array(z.enum(shapeNames)).min(1).default(shapeNames).describe('sizes of Llamas with random weights'),
  scale: z.number().min(1).max(most.factor).default(1).describe('divides all sizes, to try it on a slow machine'),
  batchSize: z.int().min(1).max(most.sequences).default(4).describe('sequences in a micro-batch'),
  sequenceLength: z.int().min(2).max(most.tokens).default(512).describe('tokens in a sequence'),
  repeats: z.int().min(1).max(10_000).default(3).describe('times that each piece of work is measured'),
  int8: z.boolean().default(false).describe('hold the frozen weights in 8 bits'),
  ...machineSettings,
})
export type BenchSettings = z.infer<typeof benchSchema>
