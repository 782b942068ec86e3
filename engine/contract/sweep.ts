import { z } from 'zod'
import { path } from './names.ts'

/** Settings of a pruning job by name, checked when the runs are made of them. */
const settings = z.record(z.string(), z.unknown())

/** Sweeps that repeat the figures of LoRAPrune's paper. */
export const sweepPreset = z.enum([
  'criteria',
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
  checkpoint: path,
  out: path.describe('folder of the sweep: its runs, report.md, table.csv and figures'),
  preset: sweepPreset.optional().describe('values that repeat a figure of the paper; those given here go before them'),
  base: settings.default({}).describe('settings of the pruning job that all runs share'),
  values: z
    .record(z.string(), z.array(z.unknown()).min(1))
    .default({})
    .describe('lists of values by setting: a run for each combination'),
  variants: z.array(settings).max(1000).default([]).describe('groups of settings, each combined with all values'),
  dense: z.boolean().default(true).describe('score the checkpoint itself, once, on what the runs are scored on'),
  parallel: z.int().min(1).max(64).default(1).describe('runs at a time; each has its share of the threads'),
  keepCheckpoints: z.boolean().default(true).describe('keep the weights of every run once it is scored'),
})
export type SweepJob = z.infer<typeof sweepSchema>
