import { z } from 'zod'
import { readPath, writtenPath } from './names.ts'
import { most } from './settings.ts'
import { taskName } from './tasks.ts'

/** What to score a checkpoint on. */
export const evaluationSchema = z.strictObject({
  tasks: z.partialRecord(taskName, readPath).default({}).describe('task files by task name'),
  perplexity: z.record(z.string().min(1), readPath).default({}).describe('text files by a name of your choice'),
  images: readPath
    .optional()
    .describe(
      'labelled pictures for a model of images: a folder of class folders, CUB-200-2011, a list of VTAB, or Parquet of the Hub',
    ),
  badImages: z
    .enum(['refuse', 'skip'])
    .default('refuse')
    .describe('pictures that cannot be read: refuse to start, or leave them out and say so'),
  mode: z.enum(['modern', 'legacy']).default('modern').describe("harness to follow: today's, or that of the papers"),
  limit: z.int().min(1).max(most.rows).optional().describe('rows scored of each task'),
  fewShot: z.int().min(0).max(64).default(0).describe('few-shot: solved examples in front of each row'),
  fewShotFrom: z
    .partialRecord(taskName, readPath)
    .default({})
    .describe("train files that a task's solved examples are drawn from; default: its scored rows"),
  window: z.int().min(2).max(most.tokens).default(128).describe('tokens in a perplexity window'),
  maxWindows: z.int().min(1).max(most.rows).optional().describe('perplexity windows at most'),
  batchTokens: z.int().min(1).max(most.tokens).default(2048).describe('tokens in a scoring batch'),
  predictions: writtenPath.optional().describe('file that takes the prediction of each scored row, one JSON line each'),
  latency: z.boolean().default(false).describe('measure tokens per second'),
  latencyLengths: z
    .array(z.coerce.number().int().min(1).max(1e6))
    .max(20)
    .default([])
    .describe('lengths of prompts that speed is measured at; default: 128 tokens'),
  prompts: z
    .array(z.string().max(10_000).meta({ text: true }))
    .max(20)
    .default([])
    .describe('prompts to continue greedily, as examples (repeat)'),
  maxNewTokens: z.int().min(1).max(2048).default(48).describe('new tokens of an example at most'),
})

export type EvaluationSettings = z.infer<typeof evaluationSchema>

const taskScore = z.object({
  acc: z.number(),
  accNorm: z.number().optional(),
  stderr: z.number().nullable(),
  stderrNorm: z.number().nullable().optional(),
  n: z.int(),
})
const perplexity = z.object({
  value: z.number(),
  tokens: z.int(),
  scored: z.int(),
  windows: z.int(),
  window: z.int(),
  protocol: z.string(),
})
const speed = z.object({ promptTokensPerSecond: z.number(), generatedTokensPerSecond: z.number() })
const classification = z.object({
  /** Fractions of the pictures whose class is the likeliest one, and among the five likeliest. */
  top1: z.number(),
  top5: z.number(),
  /** Of top1. */
  stderr: z.number().nullable(),
  n: z.int(),
  perClass: z.array(z.object({ name: z.string(), n: z.int(), acc: z.number().nullable() })),
  /** How often pictures of a class (row) were taken for each class (column); only of models with few classes. */
  confusion: z.array(z.array(z.int())).optional(),
  imagesPerSecond: z.number().nullable(),
})
export type ClassificationScore = z.infer<typeof classification>
export const scoresSchema = z.object({
  tasks: z.partialRecord(taskName, taskScore),
  perplexity: z.record(z.string(), perplexity),
  classification: classification.optional(),
  latency: speed
    .extend({
      /** At each length of the prompt that was asked for. */
      byLength: z.array(speed.extend({ prompt: z.int() })).optional(),
    })
    .optional(),
  /** What was written after each prompt. */
  examples: z.array(z.object({ prompt: z.string(), text: z.string() })).optional(),
})
export type Scores = z.infer<typeof scoresSchema>
