import { z } from 'zod'
import { isPlainName, readPath, writtenPath } from './names.ts'
import { ranSchema, runnerSettings, runnerType } from './runner.ts'
import { most } from './settings.ts'
import { byName, byTask } from './tasks.ts'

const textName = z
  .string()
  .min(1)
  .refine(isPlainName, 'name the text otherwise: this word means something else to JavaScript')

/** What to score a checkpoint on. */
export const evaluationSchema = z.strictObject({
  tasks: byTask(readPath)
    .default({})
    .describe('task files by task name; under any other name, a JSON file that describes a task of your own'),
  perplexity: byName(textName, readPath).default({}).describe('text files by a name of your choice'),
  images: readPath
    .optional()
    .describe(
      'labelled images for a model of images: a folder of class folders, CUB-200-2011, a list of VTAB, or Parquet of the Hub',
    ),
  badImages: z
    .enum(['refuse', 'skip'])
    .default('refuse')
    .describe('images that cannot be read: refuse to start, or leave them out and say so'),
  mode: z.enum(['modern', 'legacy']).default('modern').describe("harness to follow: today's, or that of the papers"),
  limit: z
    .int()
    .min(1)
    .max(most.rows)
    .optional()
    .describe('rows scored of each task, and of each subject of MMLU; images scored, spread over all of them'),
  fewShot: z
    .int()
    .min(0)
    .max(64)
    .optional()
    .describe('few-shot: solved examples in front of each row; default: none, 5 of MMLU, what a file of your own says'),
  fewShotFrom: byTask(readPath)
    .default({})
    .describe(
      "train files that a task's solved examples are drawn from; default: its scored rows, and the dev split of MMLU",
    ),
  window: z.int().min(2).max(most.tokens).default(128).describe('tokens in a perplexity window'),
  maxWindows: z.int().min(1).max(most.rows).optional().describe('perplexity windows at most'),
  batchTokens: z.int().min(1).max(most.tokens).default(2048).describe('tokens in a scoring batch'),
  predictions: writtenPath
    .optional()
    .describe('new file that takes the prediction of each scored row, one JSON line each'),
  lmEvalJson: writtenPath
    .optional()
    .describe(
      'new file that takes the scores of tasks in the layout of lm-evaluation-harness; with --predictions also single rows, beside it',
    ),
  latency: z.boolean().default(false).describe('measure tokens per second'),
  latencyLengths: z
    .array(z.coerce.number().int().min(1).max(1e6))
    .max(20)
    .default([])
    .describe('lengths of prompts that speed is measured at, which asks for it too; default: 128 tokens'),
  prompts: z
    .array(z.string().max(10_000).meta({ text: true }))
    .max(20)
    .default([])
    .describe('prompts to continue greedily, as examples (repeat)'),
  maxNewTokens: z.int().min(1).max(2048).default(48).describe('new tokens of an example at most'),
  runner: z
    .enum(runnerSettings.runner.unwrap().options)
    .default('secateur')
    .describe(
      'what speed is measured on and what continues prompts; auto: llama.cpp where it is installed and can say the checkpoint, or else Secateur',
    ),
  runnerType: runnerType
    .optional()
    .describe('how llama.cpp holds the weights then; default: f16, and of a GGUF file what it holds'),
})

export type EvaluationSettings = z.infer<typeof evaluationSchema>

/** A 1 for each scored row whose answer was right, and a 0 for each other, in the order of the file. */
const answers = z.string().regex(/^[01]*$/)

/** A subject of a task, or some subjects together. */
const partScore = z.object({ name: z.string(), acc: z.number(), stderr: z.number().nullable(), n: z.int() })
export type PartScore = z.infer<typeof partScore>

const taskScore = z.object({
  acc: z.number(),
  accNorm: z.number().optional(),
  stderr: z.number().nullable(),
  stderrNorm: z.number().nullable().optional(),
  n: z.int(),
  /** Of the last words of LAMBADA: exp of the mean negative log-likelihood of a word. */
  perplexity: z.number().optional(),
  stderrPerplexity: z.number().nullable().optional(),
  /** Categories of subjects, and the subjects, of a task that has them. */
  categories: z.array(partScore).optional(),
  subjects: z.array(partScore.extend({ category: z.string(), total: z.int() })).optional(),
  /** By which `acc` counts; scores of earlier versions are without, and without what follows. */
  answers: answers.optional(),
  /** Tells which rows were asked, and how: two models with the same were asked the same. */
  asked: z.string().optional(),
  /** Rows that there are, scored or not, and solved examples in front of each. */
  total: z.int().optional(),
  examples: z.int().optional(),
})
export type TaskScores = z.infer<typeof taskScore>
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
  /** Fractions of the images whose class is the likeliest one, and among the five likeliest. */
  top1: z.number(),
  top5: z.number(),
  /** Of top1. */
  stderr: z.number().nullable(),
  n: z.int(),
  perClass: z.array(z.object({ name: z.string(), n: z.int(), acc: z.number().nullable() })),
  /** How often images of a class (row) were taken for each class (column); only of models with few classes. */
  confusion: z.array(z.array(z.int())).optional(),
  imagesPerSecond: z.number().nullable(),
  /** By which `top1` counts; scores of earlier versions are without. */
  answers: answers.optional(),
})
export type ClassificationScore = z.infer<typeof classification>
/** Rows that two models answered, and what changed from the first to the second. */
export const pairedSchema = z.object({
  n: z.int(),
  rightToWrong: z.int(),
  wrongToRight: z.int(),
  /** Accuracy of the second less that of the first, and the standard error of this paired difference. */
  difference: z.number(),
  stderr: z.number().nullable(),
  /** Of McNemar's exact test, two-sided: how likely so uneven a change is where neither is better. */
  p: z.number(),
})
export type Paired = z.infer<typeof pairedSchema>

/** How close a model stays to the dense one, token by token. */
export const closenessSchema = z.object({
  /** Mean KL(dense || model) in nats a token, and its standard error over windows. */
  divergence: z.number(),
  stderr: z.number().nullable(),
  /** Share of the tokens at which both find the same one likeliest. */
  agreement: z.number(),
  tokens: z.int(),
  windows: z.int(),
})
export type Closeness = z.infer<typeof closenessSchema>

/** A model beside the dense one that it came from. */
export const besideDenseSchema = z.object({
  tasks: byTask(pairedSchema),
  images: pairedSchema.optional(),
  /** By the names of the texts that perplexity was measured on. */
  texts: z.record(z.string(), closenessSchema),
})
export type BesideDense = z.infer<typeof besideDenseSchema>

export const scoresSchema = z.object({
  tasks: byTask(taskScore),
  perplexity: z.record(z.string(), perplexity),
  classification: classification.optional(),
  latency: speed
    .extend({
      /** At each length of the prompt that was asked for. */
      byLength: z.array(speed.extend({ prompt: z.int() })).optional(),
      /** What ran it; scores of versions that had Secateur alone are without. */
      ran: ranSchema.optional(),
    })
    .optional(),
  /** What was written after each prompt. */
  examples: z.array(z.object({ prompt: z.string(), text: z.string() })).optional(),
  /** What wrote them; scores of versions that had Secateur alone are without. */
  examplesRan: ranSchema.optional(),
})
export type Scores = z.infer<typeof scoresSchema>
