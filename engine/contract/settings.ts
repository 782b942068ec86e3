import { z } from 'zod'
import { backendNames } from '../shared/backend-names.ts'
import { decoderLinears, linearName, readPath } from './names.ts'

export const fraction = z.number().min(0).max(1)

/** Back ends that a job can ask for by name. */
export const backendName = z.enum(backendNames)

/**
 * Bounds far above what anyone trains. What is sized by a setting (an estimate, a table, a buffer) is finite below them,
 * and a slip of the keyboard is refused where it was made and not by a loop that does not end.
 */
export const most = {
  steps: 100_000_000,
  /** Tokens of a sequence, or of a scoring batch. */
  tokens: 2 ** 22,
  sequences: 2 ** 20,
  rows: 1_000_000_000,
  /** Rates, scales and the like. */
  factor: 1e6,
}

/** Settings of everything that computes. */
export const machineSettings = {
  device: z
    .enum(['auto', ...backendName.options])
    .default('auto')
    .describe('back end that computes'),
  threads: z.int().min(1).max(1024).optional().describe('threads of one operator; default: all cores'),
}

/** The size of images, of everything that reads a checkpoint to work with it. */
export const imageSize = z
  .int()
  .min(1)
  .max(2 ** 13)
  .optional()
  .describe(
    "models of images: edge in pixels of the images, in place of the model's own size; its positions are interpolated",
  )

/** Settings of everything that trains an adapter. */
export const trainingSettings = {
  imageSize,
  data: z
    .array(readPath)
    .min(1)
    .max(10_000)
    .describe('training files: text, JSON lines or Parquet; of a model of images: a folder of class folders or a list'),
  field: z.string().optional().describe('field that holds the text or the messages'),
  trainOn: z.enum(['answers', 'everything']).default('answers').describe('where loss is taken in instruction data'),
  packing: z.enum(['pack', 'pack-documents', 'pad']).default('pack').describe('how examples fill rows'),
  sequenceLength: z.int().min(2).max(most.tokens).default(256).describe('tokens in a sequence'),
  batchSize: z.int().min(1).max(most.sequences).default(4).describe('sequences in a micro-batch'),
  gradientAccumulation: z.int().min(1).max(most.sequences).default(1).describe('micro-batches in an optimiser step'),
  maxDocuments: z.int().min(1).max(most.rows).optional().describe('documents read at most'),
  badRows: z
    .enum(['refuse', 'skip'])
    .default('refuse')
    .describe('rows of the data that cannot be read: refuse to start, or leave them out and say so'),
  maxLostRows: fraction
    .default(0.5)
    .describe('fraction of the rows that may be lost (bad, without an answer, too long); more are refused'),
  validation: z
    .union([
      z
        .number()
        .positive()
        .max(most.rows)
        .refine((value) => value < 1 || Number.isInteger(value), 'is a fraction below 1, or a whole number of rows'),
      readPath,
    ])
    .meta({ path: 'read' })
    .optional()
    .describe(
      'what the loss is measured on beside the training: a file, or a fraction or number of the rows of the data, drawn by the seed and held out of the training',
    ),
  validationEvery: z
    .int()
    .min(1)
    .max(most.steps)
    .default(50)
    .describe('steps between two measurements of the validation loss; the last step is measured too'),
  keepBest: z
    .boolean()
    .default(true)
    .describe(
      'write the adapter of the step with the least validation loss, of those after the last removal where groups are removed, and not that of the last step',
    ),
  distil: fraction
    .default(0)
    .describe(
      'share of the loss that is taken from a teacher in place of the labels: 0 is cross-entropy, 1 the teacher alone; the teacher is the dense model, the frozen weights without adapter and masks',
    ),
  teacher: readPath
    .optional()
    .describe(
      'another checkpoint that teaches in place of the dense model: of the same tokenizer, or the same classes',
    ),
  distilTemperature: z
    .number()
    .min(0.01)
    .max(100)
    .default(1)
    .describe("what the logits of model and teacher are divided by in the teacher's part of the loss"),
  distilHidden: z
    .number()
    .min(0)
    .max(most.factor)
    .default(0)
    .describe(
      'weight of the mean squared difference between the last hidden states of model and teacher, added to the loss; 0: none',
    ),
  distilCache: z
    .int()
    .min(0)
    .max(4096)
    .default(0)
    .describe(
      'keep on disk which tokens the teacher finds likeliest, so many of each position, and learn from those and the sum of the rest: a sequence that comes again needs no teacher; 0: none',
    ),
  selfData: z
    .int()
    .min(0)
    .max(most.rows)
    .default(0)
    .describe(
      'rows of training text that the dense model writes itself before the training, from prompts drawn from the data; 0: none',
    ),
  selfDataUse: z
    .enum(['instead', 'beside'])
    .default('instead')
    .describe('whether what the dense model wrote is trained on instead of the rows of the data, or beside them'),
  selfDataTokens: z
    .int()
    .min(1)
    .max(most.tokens)
    .default(256)
    .describe('new tokens in a row that the dense model writes at most'),
  selfDataPrompt: z
    .int()
    .min(1)
    .max(most.tokens)
    .default(32)
    .describe(
      'tokens of the beginning of a plain text that the dense model continues at most; of a short text, half of it',
    ),
  selfDataTemperature: z
    .number()
    .min(0)
    .max(most.factor)
    .default(0.8)
    .describe('temperature of what the dense model writes: 0 always takes the likeliest token'),
  selfDataTopP: z
    .number()
    .gt(0)
    .max(1)
    .default(0.95)
    .describe('what the dense model writes is drawn from the likeliest tokens that reach this probability'),
  steps: z.int().min(1).max(most.steps).optional().describe('optimiser steps; default: what --epochs says'),
  epochs: z
    .number()
    .positive()
    .max(most.factor)
    .default(2)
    .describe('passes through the data, where steps are not given'),
  learningRate: z.number().positive().max(most.factor).default(1e-4).describe('peak learning rate'),
  warmupRatio: fraction.default(0).describe('fraction of the steps in which the learning rate rises'),
  learningRateSchedule: z
    .enum(['constant', 'linear', 'cosine'])
    .default('cosine')
    .describe('how the learning rate falls'),
  weightDecay: z.number().min(0).max(most.factor).default(0).describe('decoupled weight decay'),
  maxGradientNorm: z.number().positive().max(1e30).default(1).describe('largest norm of the gradient'),
  beta1: fraction.default(0.9).describe('AdamW: decay of the first moment'),
  beta2: fraction.default(0.999).describe('AdamW: decay of the second moment'),
  epsilon: z
    .number()
    .positive()
    .max(1)
    .default(1e-8)
    .describe('AdamW: added to what is divided by, so that it is never zero'),
  rank: z.int().min(1).max(1024).default(8).describe('rank of the adapter'),
  alpha: z.number().positive().max(most.factor).default(16).describe('adapter scale is alpha / rank'),
  dropout: z.number().min(0).max(0.95).default(0.05).describe("dropout of the adapter's input"),
  rankStabilised: z.boolean().default(false).describe('rsLoRA: scale alpha / sqrt(rank)'),
  targetModules: z
    .array(linearName)
    .min(1)
    .default([...decoderLinears])
    .describe(
      "linear layers that get an adapter; PEFT's names (q_proj) are understood too; in a model of images the default is q,k,v,o,fc1,fc2",
    ),
  trainClassifier: z
    .boolean()
    .default(false)
    .describe(
      'models of images: train the classifier whole beside the adapter; one that is new, since the classes differ, always is',
    ),
  gradientCheckpointing: z
    .enum(['auto', 'off', 'on'])
    .default('auto')
    .describe('off: keep activations for the backward pass (faster); on: compute blocks again (less memory)'),
  int8: z
    .boolean()
    .default(false)
    .describe(
      'hold the frozen weights in 8 bits: training and scores see them rounded, and the adapter is merged into the originals unless --merge-into says otherwise',
    ),
  augmentation: z
    .enum(['none', 'flip', 'crop-and-flip'])
    .default('none')
    .describe('what training does to images: nothing, mirror half of them, or cut out a random part as well'),
  seed: z.int().min(0).default(0).describe('seed of everything random'),
  saveEvery: z.int().min(1).max(most.steps).default(50).describe('steps between two saved states'),
  sampleEvery: z.int().min(0).max(most.steps).default(0).describe('steps between two generated samples; 0: none'),
  samplePrompts: z
    .array(z.string().max(10_000).meta({ text: true }))
    .max(20)
    .default([])
    .describe('prompts that samples continue (repeat)'),
  sampleTokens: z.int().min(1).max(2048).default(48).describe('tokens in a sample at most'),
}

/** The weights that an adapter becomes part of, where it was trained over weights in 8 bits. */
const mergeInto = z.enum(['original', 'trained']).default('original')

/** The same of a job that trains the adapter itself. */
export const mergeIntoOfTraining = mergeInto.describe(
  'with --int8, the weights that the adapter is merged into: the original ones, or those in 8 bits that it was trained over (widened again), so that what is written computes what was trained',
)

/** The same of a job that is given the adapter. */
export const mergeIntoOfMerge = mergeInto.describe(
  'trained: round the weights to 8 bits first, as an adapter saw them that was trained with --int8; original: as they are',
)

/** The type of weights in files that are written. */
export const outputDtype = z
  .enum(['same', 'float32', 'float16', 'bfloat16'])
  .default('same')
  .describe('type of the written weights')
