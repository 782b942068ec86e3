import { z } from 'zod'
import { clusterSchema, queuedTaskSchema } from './cluster.ts'
import { readPath, writtenPath } from './names.ts'
import { ranSchema } from './runner.ts'

/** Settings of a pruning job by name, checked when the runs are made of them. */
const settings = z.record(z.string(), z.unknown())

/** Sweeps that repeat the figures of LoRAPrune's paper. */
export const sweepPreset = z.enum([
  'criteria',
  'images',
  'lambda',
  'frequency',
  'steps',
  'memory',
  'speed',
  'examples',
  'unstructured',
])
export type SweepPreset = z.infer<typeof sweepPreset>

export const sweepSchema = z.strictObject({
  kind: z.literal('sweep'),
  checkpoint: readPath,
  out: writtenPath.describe('folder of the sweep: its runs, report.md, table.csv and figures'),
  preset: sweepPreset.optional().describe('values that repeat a figure of the paper; those given here go before them'),
  base: settings.default({}).describe('settings of the pruning job that all runs share'),
  values: z
    .record(z.string(), z.array(z.unknown()).min(1))
    .default({})
    .describe('lists of values by setting: a run for each combination'),
  variants: z.array(settings).max(1000).default([]).describe('groups of settings, each combined with all values'),
  dense: z.boolean().default(true).describe('score the checkpoint itself, once, on what the runs are scored on'),
  parallel: z.int().min(1).max(64).default(1).describe('runs at a time; each has its share of the threads'),
  cluster: clusterSchema.optional().describe('do the runs on a cluster with Slurm, in place of this computer'),
  keepCheckpoints: z.boolean().default(true).describe('keep the weights of every run once it is scored'),
})
export type SweepJob = z.infer<typeof sweepSchema>

export interface SweepPresetDescription {
  title: string
  /** What varies, and what that shows. */
  sentence: string
  /** Whether its figure needs scores of the user's choice, has figures of its own beside them, or takes none. */
  scores: 'needed' | 'possible' | 'none'
}

/** What is told of each preset wherever one is chosen. */
export const sweepPresets: Record<SweepPreset, SweepPresetDescription> = {
  criteria: {
    title: 'Criteria compared',
    sentence:
      'Every criterion with a fifth and with half removed, with fine-tuning and without, over three seeds: which one keeps most of the model.',
    scores: 'needed',
  },
  images: {
    title: 'Criteria on images',
    sentence:
      'LoRAPrune, magnitude, movement, lots, gradients and Wanda with a quarter, half and three quarters of a vision transformer removed, over three seeds.',
    scores: 'needed',
  },
  lambda: {
    title: 'Moving average',
    sentence: 'Five factors of the moving average of importance: how far scores must be smoothed over the steps.',
    scores: 'needed',
  },
  frequency: {
    title: 'Pruning frequency',
    sentence: 'Five numbers of steps between two prunings: whether rare and large removals cost more than small ones.',
    scores: 'needed',
  },
  steps: {
    title: 'Fine-tuning steps',
    sentence: 'From 25 to 400 optimiser steps: how much training it takes to make up for what is removed.',
    scores: 'needed',
  },
  memory: {
    title: 'Memory of scoring',
    sentence:
      "LoRAPrune's scoring against true weight gradients, each in a process of its own: what each of them holds at its peak.",
    scores: 'none',
  },
  speed: {
    title: 'Speed and size',
    sentence:
      'The dense model against a fifth and half removed: tokens a second of prompts and of generation, parameters and multiply-adds.',
    scores: 'possible',
  },
  examples: {
    title: 'Generated examples',
    sentence:
      'What the dense and the pruned models write after the same prompts, by three criteria with a fifth and with half removed.',
    scores: 'possible',
  },
  unstructured: {
    title: 'Single weights',
    sentence:
      'Groups against half of the single weights: what zeros cost in quality, and how merging an adapter fills them again.',
    scores: 'needed',
  },
}

/** What lists come to, before anything is chosen to prune. */
export const sweepPlanSchema = z.object({
  runs: z.int(),
  /**
   * Settings that lists or variants say, whatever the base says of them, with whose lists they are; null stands for a
   * run that leaves it to the base.
   */
  settings: z.array(
    z.object({ name: z.string(), values: z.array(z.unknown()), from: z.enum(['values', 'variants', 'preset']) }),
  ),
  /** What the preset would have in the base where that says nothing, by dotted path. */
  base: z.record(z.string(), z.unknown()),
})
export type SweepPlan = z.infer<typeof sweepPlanSchema>

/** What a number of a sweep's table is. */
export const sweepColumnKind = z.enum(['perplexity', 'percent', 'count', 'bytes', 'seconds', 'speed', 'loss'])
export type SweepColumnKind = z.infer<typeof sweepColumnKind>

const varied = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
const metrics = z.record(z.string(), z.number())
const examples = z.array(z.object({ prompt: z.string(), text: z.string() }))

/** How a sweep stands, from its folder: every run, and what they come to so far. */
export const sweepStateSchema = z.object({
  runs: z.array(
    z.object({
      name: z.string(),
      folder: z.string(),
      /** Settings that tell it from the others. */
      varied,
      state: z.enum(['queued', 'running', 'interrupted', 'failed', 'done']),
      /** Why it failed. */
      message: z.string().nullable(),
      /** What the scheduler of a cluster said of it last; null where it does not have it, or nobody follows the sweep. */
      task: queuedTaskSchema.nullable(),
      metrics,
    }),
  ),
  /** When the scheduler of a cluster answered last, and why it does not any more; null where nobody has asked it. */
  scheduler: z.object({ answered: z.string().nullable(), problem: z.string().nullable() }).nullable(),
  /** Numbers that any run, or the dense checkpoint, has. */
  columns: z.array(z.object({ name: z.string(), kind: sweepColumnKind })),
  dense: metrics.nullable(),
  /** Mean and sample standard deviation over the seeds of a setting; no deviation for one run. */
  rows: z.array(
    z.object({
      varied,
      metrics: z.record(z.string(), z.object({ mean: z.number(), deviation: z.number().nullable(), n: z.int() })),
    }),
  ),
  figures: z.array(z.object({ name: z.string(), title: z.string(), svg: z.string() })),
  /** What the dense checkpoint and the runs wrote after the same prompts, and on what. */
  examples: z.array(z.object({ name: z.string(), examples, ran: ranSchema.optional() })),
})
export type SweepState = z.infer<typeof sweepStateSchema>

/** Texts of a report: the tables as Markdown, means as CSV, every run as CSV. */
export const sweepText = z.enum(['markdown', 'table', 'runs'])
export type SweepText = z.infer<typeof sweepText>
