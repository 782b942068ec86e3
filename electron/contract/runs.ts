import { z } from 'zod'
import {
  clusterSchema,
  dataCheckSchema,
  estimateSchema,
  exportedSchema,
  jobEstimateSchema,
  jobSchema,
  planResultSchema,
  overallSchema,
  planSchema,
  removalSchema,
  rowCountsSchema,
  besideDenseSchema,
  scoresSchema,
  sweepListsSchema,
  sweepPlanSchema,
  sweepStateSchema,
  sweepText,
  validationSchema,
} from '../../engine/contract/index.ts'
import { byId, done, id, type MethodTable, name, notes, nothing, path, tags, time } from './common.ts'
import { previewResultSchema } from './datasets.ts'
import {
  loadPointSchema,
  logLineSchema,
  pruningSnapshotSchema,
  sampleSchema,
  seriesQuerySchema,
  seriesSchema,
} from './run-records.ts'
import { layerShapeSchema } from './library.ts'

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
  /** Of a model that sees images; null of others, and of runs of earlier versions. */
  imagesPerSecond: z.number().nullable().default(null),
  memoryBytes: z.number().nullable(),
  /** What became of the rows of the training data; null until they are read. */
  rows: rowCountsSchema.nullable().default(null),
  /** Of the whole run, phase by phase; null until its engine tells, and of runs of earlier versions. */
  overall: overallSchema.nullable().default(null),
})
export type RunProgress = z.infer<typeof runProgressSchema>

const scored = z.object({
  parameters: z.object({ before: z.int(), after: z.int() }).optional(),
  removal: removalSchema.optional(),
  /** What became of the rows of the training data. */
  rows: rowCountsSchema.optional(),
  loss: z.number().nullable().optional(),
  validation: validationSchema.optional(),
  seconds: z.number().optional(),
  peakMemoryBytes: z.number().optional(),
  /** Of a sweep: runs that could not be done. */
  failedRuns: z.int().optional(),
  /** Of an export: what was written, with how far it is from the checkpoint. */
  export: exportedSchema.optional(),
  /** Of the run's result; of the checkpoint that an evaluation scored. */
  scores: scoresSchema.optional(),
  /** Of the dense checkpoint, where the run took them. */
  denseScores: scoresSchema.optional(),
  /** What changed from the dense checkpoint, where both were scored. */
  besideDense: besideDenseSchema.optional(),
})

export const runSchema = z.object({
  id,
  name: z.string(),
  kind: z.enum(['finetune', 'prune', 'merge', 'evaluate', 'sweep', 'export']),
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

/** Scores of a run with what later evaluations of the same checkpoints add to them. */
export const joinedScoresSchema = z.object({
  /** Of the run's result. */
  scores: scoresSchema.optional(),
  denseScores: scoresSchema.optional(),
  /** What the run did not measure itself: which evaluation did, and the names of the tasks, texts (`perplexity.wiki`) and so on. */
  from: z.array(
    z.object({ of: z.enum(['scores', 'denseScores']), runId: id, name: z.string(), names: z.array(z.string()) }),
  ),
})
export type JoinedScores = z.infer<typeof joinedScoresSchema>

export const runDetailSchema = runSchema.extend({
  job: jobSchema,
  joined: joinedScoresSchema,
  /** Where its checkpoint lies now; null where the library has it no more. */
  checkpointPath: z.string().nullable(),
  /** Layers of the checkpoint that it works on, as far as the library knows them. */
  layersBefore: z.array(layerShapeSchema).nullable(),
  estimate: estimateSchema.nullable(),
  /** Run that it was cloned from or tries again. */
  parentId: id.nullable(),
  /** The sweep on a cluster that it is a run of. */
  sweepId: id.nullable(),
  /** Whether it works on a model of images, as far as the library knows. */
  ofImages: z.boolean(),
  metricNames: z.array(z.string()),
  samplePrompts: z.array(z.string()),
  pruningSteps: z.array(z.int()),
  software: z.record(z.string(), z.string()),
  hardware: z.record(z.string(), z.union([z.string(), z.number()])),
})
export type RunDetail = z.infer<typeof runDetailSchema>

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
  /** In which that new folder is made, in place of the runs folder. */
  folder: path.optional(),
  parentId: id.optional(),
})

/** How a sweep stands: the engine's state, with the history's number of each run that has entered it. */
export const sweepSchema = sweepStateSchema.extend({
  runs: z.array(sweepStateSchema.shape.runs.element.extend({ runId: id.nullable() })),
})
export type Sweep = z.infer<typeof sweepSchema>

/** Requests about runs. */
export const runMethods = {
  'runs.estimate': [newRunSchema, jobEstimateSchema],
  /** What all data and task files of a job hold; progress comes as a task. */
  'runs.check': [newRunSchema, dataCheckSchema],
  /** How many runs the lists of a sweep come to, and what these differ in. */
  'runs.plan': [sweepListsSchema, sweepPlanSchema],
  /** What budgets come to by the scores that a pruning run has kept. */
  'runs.budgets': [
    z.strictObject({ id, ...planSchema.pick({ budgets: true, uniform: true, speed: true }).shape }),
    planResultSchema,
  ],
  /** Queues a run, once its files are checked; it starts when its device is free. */
  'runs.create': [newRunSchema, runSchema],
  'runs.active': [nothing, z.array(runSchema)],
  'runs.get': [byId, runDetailSchema],
  'runs.pause': [byId, runSchema],
  /**
   * Goes on from the saved state. Where merged weights turned out too large for the type that was to be written, another one
   * may be named.
   */
  'runs.resume': [
    z.strictObject({
      id,
      outputDtype: z.enum(['float32', 'float16', 'bfloat16']).optional(),
      /** What speed and examples come from, where llama.cpp was insisted on and cannot run what was written. */
      runner: z.enum(['auto', 'secateur']).optional(),
      /** Of a sweep on a cluster: what is asked of that from now on. */
      cluster: clusterSchema.optional(),
    }),
    runSchema,
  ],
  'runs.cancel': [byId, runSchema],
  /** The same job again in a new folder. */
  'runs.retry': [byId, runSchema],
  /** Moves a queued run to a place in the queue. */
  'runs.move': [z.strictObject({ id, position: z.int().min(0) }), done],
  'runs.update': [runChangesSchema, runSchema],
  /** Gives tags to many runs, and takes tags from them. */
  'runs.tag': [z.strictObject({ ids: z.array(id).min(1).max(10_000), add: tags, remove: tags }), done],
  /** Every tag that any of the runs has, and how many of them have it. */
  'runs.tagsOf': [
    z.strictObject({ ids: z.array(id).min(1).max(10_000) }),
    z.array(z.object({ tag: z.string(), runs: z.int() })),
  ],
  'runs.archive': [z.strictObject({ ids: z.array(id).min(1).max(10_000), archived: z.boolean() }), done],
  'runs.remove': [z.strictObject({ ids: z.array(id).min(1).max(10_000), files: z.enum(['keep', 'trash']) }), done],
  'runs.restore': [z.strictObject({ ids: z.array(id).min(1).max(10_000) }), done],
  'runs.series': [seriesQuerySchema, z.array(seriesSchema)],
  'runs.snapshot': [z.strictObject({ id, step: z.int().min(0) }), pruningSnapshotSchema.nullable()],
  'runs.samples': [byId, z.array(sampleSchema)],
  /** Rows that the dense model wrote for a run, so far as they are written. */
  'runs.selfData': [
    z.strictObject({ id, offset: z.int().min(0).default(0), limit: z.int().min(1).max(50).default(10) }),
    previewResultSchema,
  ],
  /** How busy the computer was while it ran. */
  'runs.load': [byId, z.array(loadPointSchema)],
  /** The newest lines of its log before one, or of its warnings and errors, in their order; fewer than `limit` where it begins with them. */
  'runs.log': [
    z.strictObject({
      id,
      level: z.enum(['all', 'warnings']).default('all'),
      before: logLineSchema.pick({ time: true, id: true }).optional(),
      limit: z.int().min(1).max(1000).default(200),
    }),
    z.array(logLineSchema),
  ],
  /** How a sweep stands: its runs, what they come to so far, and its figures. */
  'runs.sweep': [byId, sweepSchema],
  /** Its tables as text. */
  'runs.sweepText': [z.strictObject({ id, as: sweepText }), z.string()],
  /** One archive of the whole run folder with what the history knows of it; progress comes as a task. */
  'runs.export': [z.strictObject({ id, to: path, includeOutput: z.boolean().default(true) }), path],
  'runs.importArchive': [z.strictObject({ path }), runSchema],
  /** A run folder that the command line wrote. */
  'runs.importFolder': [z.strictObject({ path }), runSchema],
} as const satisfies MethodTable
