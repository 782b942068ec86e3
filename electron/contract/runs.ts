import { z } from 'zod'
import {
  estimateSchema,
  jobSchema,
  pruningSnapshotSchema,
  sampleSchema,
  scoresSchema,
  sweepStateSchema,
} from '../../engine/contract/index.ts'
import { id, name, notes, tags, time } from './common.ts'

/**
 * queued -> starting -> running -> done | failed; stopping on the way to paused or cancelled. A run whose process was lost
 * is `interrupted`. Paused, cancelled, failed and interrupted runs can be resumed where a state was saved.
 */
export const runState = z.enum([
  'queued',
  'starting',
  'running',
  'stopping',
  'paused',
  'cancelled',
  'failed',
  'interrupted',
  'done',
])
export type RunState = z.infer<typeof runState>

export const runProgressSchema = z.object({
  stage: z.string(),
  /** Of the stage. */
  done: z.number(),
  total: z.number(),
  step: z.int(),
  /** 0 for a run without steps. */
  steps: z.int(),
  secondsLeft: z.number().nullable(),
  tokensPerSecond: z.number().nullable(),
  memoryBytes: z.number().nullable(),
})
export type RunProgress = z.infer<typeof runProgressSchema>

const scored = z.object({
  parameters: z.object({ before: z.int(), after: z.int() }).optional(),
  loss: z.number().nullable().optional(),
  seconds: z.number().optional(),
  peakMemoryBytes: z.number().optional(),
  /** Of the run's result; of the checkpoint that an evaluation scored. */
  scores: scoresSchema.optional(),
  /** Of the dense checkpoint, where the run took them. */
  denseScores: scoresSchema.optional(),
})

export const runSchema = z.object({
  id,
  name: z.string(),
  kind: z.enum(['finetune', 'prune', 'merge', 'evaluate', 'sweep']),
  state: runState,
  /** Why it failed or stopped, in words that lead somewhere. */
  reason: z.string().nullable(),
  folder: z.string(),
  device: z.string().nullable(),
  checkpointId: id.nullable(),
  checkpointName: z.string(),
  outputId: id.nullable(),
  created: time,
  started: time.nullable(),
  finished: time.nullable(),
  lastSavedStep: z.int().nullable(),
  resumable: z.boolean(),
  progress: runProgressSchema.nullable(),
  archived: z.boolean(),
  tags,
  notes: z.string(),
  result: scored.nullable(),
})
export type RunSummary = z.infer<typeof runSchema>

export const runDetailSchema = runSchema.extend({
  job: jobSchema,
  estimate: estimateSchema.nullable(),
  /** Run that it was cloned from or tries again. */
  parentId: id.nullable(),
  metricNames: z.array(z.string()),
  samplePrompts: z.array(z.string()),
  pruningSteps: z.array(z.int()),
  software: z.record(z.string(), z.string()),
  hardware: z.record(z.string(), z.union([z.string(), z.number()])),
})
export type RunDetail = z.infer<typeof runDetailSchema>

/** A piece of a curve: bucket means with their range. Raw points where they are few enough. */
export const seriesSchema = z.object({
  name: z.string(),
  steps: z.array(z.number()),
  mean: z.array(z.number().nullable()),
  min: z.array(z.number().nullable()),
  max: z.array(z.number().nullable()),
  /** Points in the whole curve. */
  points: z.int(),
})
export type Series = z.infer<typeof seriesSchema>
export const seriesQuerySchema = z.strictObject({
  id,
  names: z.array(z.string().max(100)).max(40).optional(),
  from: z.number().optional(),
  to: z.number().optional(),
  /** Buckets wanted at most. */
  points: z.int().min(2).max(5000).default(1000),
})

export { pruningSnapshotSchema, sampleSchema }
export type PruningSnapshot = z.infer<typeof pruningSnapshotSchema>

export const logLineSchema = z.object({
  id,
  time,
  level: z.enum(['info', 'warning', 'error']),
  message: z.string(),
})
export type LogLine = z.infer<typeof logLineSchema>

/** A column of the history: a fact of the run, `setting.<name>` of its job, or `metric.<name>` of its result. */
export const columnSchema = z.object({
  key: z.string(),
  label: z.string(),
  type: z.enum(['text', 'number', 'time', 'state', 'tags', 'bytes', 'seconds', 'fraction']),
})
export type Column = z.infer<typeof columnSchema>
export const historyFilterSchema = z.strictObject({
  /** Full-text search over names, notes, tags and settings. */
  search: z.string().max(500).default(''),
  states: z.array(runState).default([]),
  kinds: z.array(z.string().max(40)).default([]),
  tags: z.array(z.string().max(60)).default([]),
  checkpoint: id.optional(),
  archived: z.enum(['no', 'only', 'all']).default('no'),
})
export const historyQuerySchema = historyFilterSchema.extend({
  columns: z.array(z.string().max(100)).max(60).default([]),
  sort: z.strictObject({ column: z.string().max(100), descending: z.boolean() }).optional(),
  offset: z.int().min(0).default(0),
  limit: z.int().min(1).max(500).default(100),
})
export type HistoryQuery = z.input<typeof historyQuerySchema>
export const historyRowSchema = z.object({
  id,
  name: z.string(),
  kind: z.string(),
  state: runState,
  archived: z.boolean(),
  tags,
  /** In the order of the query's columns. */
  values: z.array(z.union([z.string(), z.number(), z.array(z.string()), z.null()])),
})
export type HistoryRow = z.infer<typeof historyRowSchema>
export const historyPageSchema = z.object({ total: z.int(), rows: z.array(historyRowSchema) })

export const runChangesSchema = z.strictObject({
  id,
  name: name.optional(),
  notes: notes.optional(),
  tags: tags.optional(),
})
export const newRunSchema = z.strictObject({
  name: name.optional(),
  /** `out` is filled in by the service where it is empty: a new folder under the runs folder. */
  job: z.record(z.string(), z.unknown()),
  parentId: id.optional(),
})

/** How a sweep stands: the engine's state, with the history's number of each run that has entered it. */
export const sweepSchema = sweepStateSchema.extend({
  runs: z.array(sweepStateSchema.shape.runs.element.extend({ runId: id.nullable() })),
})
export type Sweep = z.infer<typeof sweepSchema>

export const comparisonSchema = z.object({
  runs: z.array(runDetailSchema),
  /** Every setting of any of the jobs, with the value in each run. */
  settings: z.array(z.object({ name: z.string(), values: z.array(z.unknown()), differs: z.boolean() })),
  series: z.array(z.object({ runId: id, series: z.array(seriesSchema) })),
  /** Heads and channels of each layer at the end. */
  layers: z.array(
    z.object({
      runId: id,
      layers: z.array(z.object({ heads: z.int(), headsOf: z.int(), channels: z.int(), channelsOf: z.int() })),
    }),
  ),
  samples: z.array(z.object({ prompt: z.string(), texts: z.array(z.string().nullable()) })),
})
export type Comparison = z.infer<typeof comparisonSchema>

export const scatterQuerySchema = z.strictObject({
  filter: historyFilterSchema.optional(),
  ids: z.array(id).max(10_000).optional(),
  x: z.string().max(100),
  y: z.string().max(100),
})
export const scatterPointSchema = z.object({ id, name: z.string(), x: z.number(), y: z.number() })
