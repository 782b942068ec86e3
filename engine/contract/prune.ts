import { z } from 'zod'
import { budgetText } from './budget.ts'
import { criterionName, criterionSettings } from './criteria/index.ts'
import { evaluationSchema } from './evaluation.ts'
import { readPath, writtenPath } from './names.ts'
import { fraction, machineSettings, mergeIntoOfTraining, most, outputDtype, trainingSettings } from './settings.ts'

export const pruneSchema = z.strictObject({
  kind: z.literal('prune'),
  checkpoint: readPath,
  out: writtenPath.describe('run folder; the smaller checkpoint is in its output/'),
  ...machineSettings,
  ...trainingSettings,
  criterion: criterionName.default('loraprune').describe('how importance is scored'),
  schedule: z
    .enum(['iterative', 'one-shot'])
    .default('iterative')
    .describe('remove step by step while training, or all at once before it'),
  healing: z.boolean().default(true).describe('train the adapter, so that it makes up for what is removed'),
  calibrationData: z
    .array(readPath)
    .max(100)
    .default([])
    .describe('texts that scoring looks at before training, one a language for example; default: the training data'),
  calibrationShares: z
    .array(z.coerce.number().positive().max(most.factor))
    .max(100)
    .default([])
    .describe('parts of the calibration samples that come from each text; default: equal'),
  calibrationSamples: z.int().min(1).max(4096).default(32).describe('sequences of calibration data'),
  calibrationSequenceLength: z
    .int()
    .min(2)
    .max(most.tokens)
    .optional()
    .describe('tokens in a calibration sample; default: as in training'),
  ratio: z
    .number()
    .gt(0)
    .max(0.95)
    .default(0.5)
    .describe('fraction of heads and channels, of layers or of weights to remove'),
  prune: z
    .array(z.enum(['heads', 'channels']))
    .min(1)
    .max(2)
    .default(['heads', 'channels'])
    .describe(
      'what may be removed; channels alone make a ViT that every program loads, since a stock one has no size of a head of its own',
    ),
  ratioOf: z
    .enum(['groups', 'parameters'])
    .default('groups')
    .describe(
      'heads and channels (or layers), each kind by itself, in the layers that are pruned; or the weights of the linear layers of all decoder layers, protected ones included, without embeddings and output head: heads are removed to the nearest number, and channels make up the difference',
    ),
  targetFraction: z.number().gt(0).lt(1).optional().describe('fraction of all parameters to keep, in place of ratio'),
  targetParameters: z.int().min(1).max(1e13).optional().describe('parameters to keep at most, in place of ratio'),
  budget: budgetText
    .optional()
    .describe(
      'what may be kept at most, in place of ratio: parameters=0.7 (a share) or parameters=90M, memory=4GB (bytes of the written weights), prompt=1.5x or generation=1.5x (how many times as fast, measured on this device) or their milliseconds; heads, channels and whole layers are removed where that loses least importance, or equal numbers in all layers with --uniform',
    ),
  speedPrompt: z
    .int()
    .min(1)
    .max(most.tokens)
    .default(128)
    .describe('tokens of the prompt that a budget of time is measured with'),
  speedTokens: z
    .int()
    .min(1)
    .max(4096)
    .default(32)
    .describe('tokens generated after it, where a budget of time is measured'),
  frequency: z.int().min(1).max(most.steps).default(10).describe('optimiser steps between two prunings'),
  rounding: z
    .enum(['nearest', 'down'])
    .default('nearest')
    .describe(
      'how many groups are removed on the way: to the nearest number, or rounded down as in the published code, where the last of a few heads is removed at the last pruning; the end is the same',
    ),
  pruneWarmup: fraction.default(0.1).describe('fraction of the steps before pruning starts'),
  pruneCooldown: fraction.default(0.1).describe('fraction of the steps after pruning ends'),
  ...criterionSettings,
  keepUnscored: z
    .boolean()
    .default(false)
    .describe(
      'keep heads or channels whole where the criterion cannot score them, since no linear layer of theirs has an adapter; default: refuse',
    ),
  headGroups: z
    .enum(['key-value-heads', 'query-heads'])
    .default('key-value-heads')
    .describe('what is removed from attention together'),
  ranking: z
    .enum(['auto', 'local', 'global'])
    .default('auto')
    .describe(
      "rank groups within a layer (local) or over all layers (global); auto: as the criterion's paper does, but within a layer where the same counts in every layer, query heads that share key/value heads or a multiple of channels are asked for",
    ),
  floor: fraction.default(0.1).describe('global ranking: fraction that each layer keeps'),
  uniform: z
    .boolean()
    .optional()
    .describe(
      'same counts in every layer, so that other programs load the result; the first and the last layers, which real models need most, then lose as much as the others; default: wherever groups are ranked within a layer',
    ),
  protectFirst: fraction.default(0.1).describe('not uniform: fraction of the first layers that stay whole'),
  protectLast: z.int().min(0).max(10_000).default(1).describe('not uniform: number of last layers that stay whole'),
  channelMultiple: z
    .int()
    .min(1)
    .max(most.factor)
    .default(1)
    .describe(
      'channels kept are a multiple of this: take 32 or 256 where a quantised export is the aim, whose blocks have so many weights',
    ),
  outputDtype,
  mergeInto: mergeIntoOfTraining,
  evaluation: evaluationSchema.optional().describe('scores taken of the result'),
  evaluateDense: z.boolean().default(false).describe('score the checkpoint before pruning too, the same way'),
})

export type PruneJob = z.infer<typeof pruneSchema>
