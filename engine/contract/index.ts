import { z } from 'zod'
import { backendNames } from '../shared/backend-names.ts'
import { folderHashSchema, inspectionSchema, layerSchema } from './checkpoint.ts'
import { criterionName } from './criteria.ts'
import {
  datasetKind,
  datasetSchema,
  previewRows,
  previewSchema,
  thumbnailsSchema,
  tokenLengthsSchema,
} from './dataset.ts'
import { failureSchema, path, projection, taskName } from './names.ts'
import { type OnTwice, renameLists, renameSettings } from './renamed.ts'
import { sweepPlanSchema, sweepSchema, sweepStateSchema, sweepText } from './sweep.ts'

export * from './checkpoint.ts'
export * from './criteria.ts'
export * from './dataset.ts'
export { type OnTwice, renamedIn, renameSettings } from './renamed.ts'
export * from './sweep.ts'
export { failureSchema, taskName } from './names.ts'

/**
 * Contract B: the job that the engine is given, and the events that come out. The command line and the app send the same
 * job; every message is parsed with these schemas at the boundary.
 *
 * Two processes speak it over Node's IPC (`fork` with `serialization: 'advanced'`):
 * - engine/entries/run.ts takes one `run` command, sends events, and ends; `stop` ends it early with its state saved.
 * - engine/entries/service.ts answers requests for as long as it lives; see `serviceMethods`.
 */

const fraction = z.number().min(0).max(1)

/** Back ends that a job can ask for by name. */
export const backendName = z.enum(backendNames)

/** Settings of everything that computes. */
export const machineSettings = {
  device: z
    .enum(['auto', ...backendName.options])
    .default('auto')
    .describe('back end that computes'),
  threads: z.int().min(1).max(1024).optional().describe('threads of one operator; default: all cores'),
}

/** What to score a checkpoint on. */
export const evaluationSchema = z.strictObject({
  tasks: z.partialRecord(taskName, path).default({}).describe('task files by task name'),
  perplexity: z.record(z.string().min(1), path).default({}).describe('text files by a name of your choice'),
  mode: z.enum(['modern', 'legacy']).default('modern').describe("harness to follow: today's, or that of the papers"),
  limit: z.int().min(1).optional().describe('rows scored of each task'),
  fewShot: z.int().min(0).max(64).default(0).describe('few-shot: solved examples in front of each row'),
  fewShotFrom: z
    .partialRecord(taskName, path)
    .default({})
    .describe("train files that a task's solved examples are drawn from; default: its scored rows"),
  window: z.int().min(2).default(128).describe('tokens in a perplexity window'),
  maxWindows: z.int().min(1).optional().describe('perplexity windows at most'),
  batchTokens: z.int().min(1).default(2048).describe('tokens in a scoring batch'),
  predictions: path.optional().describe('file that takes the prediction of each scored row, one JSON line each'),
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

const training = {
  data: z.array(path).min(1).describe('training files: text, JSON lines or Parquet'),
  field: z.string().optional().describe('field that holds the text or the messages'),
  trainOn: z.enum(['answers', 'everything']).default('answers').describe('where loss is taken in instruction data'),
  packing: z.enum(['pack', 'pack-documents', 'pad']).default('pack').describe('how examples fill rows'),
  sequenceLength: z.int().min(2).default(256).describe('tokens in a sequence'),
  batchSize: z.int().min(1).default(4).describe('sequences in a micro-batch'),
  gradientAccumulation: z.int().min(1).default(1).describe('micro-batches in an optimiser step'),
  maxDocuments: z.int().min(1).optional().describe('documents read at most'),
  steps: z.int().min(1).optional().describe('optimiser steps; default: what --epochs says'),
  epochs: z.number().positive().default(2).describe('passes through the data, where steps are not given'),
  learningRate: z.number().positive().default(1e-4).describe('peak learning rate'),
  warmupRatio: fraction.default(0).describe('fraction of the steps in which the learning rate rises'),
  learningRateSchedule: z
    .enum(['constant', 'linear', 'cosine'])
    .default('cosine')
    .describe('how the learning rate falls'),
  weightDecay: z.number().min(0).default(0).describe('decoupled weight decay'),
  maxGradientNorm: z.number().positive().default(1).describe('largest norm of the gradient'),
  beta1: fraction.default(0.9).describe('AdamW: decay of the first moment'),
  beta2: fraction.default(0.999).describe('AdamW: decay of the second moment'),
  epsilon: z.number().positive().default(1e-8).describe('AdamW: keeps the division sane'),
  rank: z.int().min(1).max(1024).default(8).describe('rank of the adapter'),
  alpha: z.number().positive().default(16).describe('adapter scale is alpha / rank'),
  dropout: z.number().min(0).max(0.95).default(0.05).describe("dropout of the adapter's input"),
  rankStabilised: z.boolean().default(false).describe('rsLoRA: scale alpha / sqrt(rank)'),
  targetModules: z
    .array(projection)
    .min(1)
    .default(['q', 'k', 'v', 'o', 'gate', 'up', 'down'])
    .describe("linear layers that get an adapter; PEFT's names (q_proj) are understood too"),
  gradientCheckpointing: z
    .enum(['auto', 'off', 'on'])
    .default('auto')
    .describe('off: keep activations for the backward pass (faster); on: compute blocks again (less memory)'),
  int8: z.boolean().default(false).describe('hold the frozen weights in 8 bits'),
  seed: z.int().min(0).default(0).describe('seed of everything random'),
  saveEvery: z.int().min(1).default(50).describe('steps between two saved states'),
  sampleEvery: z.int().min(0).default(0).describe('steps between two generated samples; 0: none'),
  samplePrompts: z
    .array(z.string().max(10_000).meta({ text: true }))
    .max(20)
    .default([])
    .describe('prompts that samples continue (repeat)'),
  sampleTokens: z.int().min(1).max(2048).default(48).describe('tokens in a sample at most'),
}

export const finetuneSchema = z.strictObject({
  kind: z.literal('finetune'),
  checkpoint: path,
  out: path.describe('run folder'),
  ...machineSettings,
  ...training,
})

export const pruneSchema = z.strictObject({
  kind: z.literal('prune'),
  checkpoint: path,
  out: path.describe('run folder; the smaller checkpoint is in its output/'),
  ...machineSettings,
  ...training,
  criterion: criterionName.default('loraprune').describe('how importance is scored'),
  schedule: z
    .enum(['iterative', 'one-shot'])
    .default('iterative')
    .describe('remove step by step while training, or all at once before it'),
  healing: z.boolean().default(true).describe('train the adapter, so that it makes up for what is removed'),
  calibrationData: z
    .array(path)
    .max(100)
    .default([])
    .describe('texts that scoring looks at before training, one a language for example; default: the training data'),
  calibrationShares: z
    .array(z.coerce.number().positive())
    .max(100)
    .default([])
    .describe('parts of the calibration samples that come from each text; default: equal'),
  calibrationSamples: z.int().min(1).max(4096).default(32).describe('sequences of calibration data'),
  calibrationSequenceLength: z
    .int()
    .min(2)
    .optional()
    .describe('tokens in a calibration sample; default: as in training'),
  ratio: z
    .number()
    .gt(0)
    .max(0.95)
    .default(0.5)
    .describe('fraction of heads and channels, of layers or of weights to remove'),
  targetFraction: z.number().gt(0).lt(1).optional().describe('fraction of all parameters to keep, in place of ratio'),
  targetParameters: z.int().min(1).optional().describe('parameters to keep at most, in place of ratio'),
  frequency: z.int().min(1).default(10).describe('optimiser steps between two prunings'),
  rounding: z
    .enum(['nearest', 'down'])
    .default('nearest')
    .describe(
      'how many groups are gone on the way: to the nearest number, or rounded down as in the published code, where the last of a few heads leaves at the last pruning; the end is the same',
    ),
  pruneWarmup: fraction.default(0.1).describe('fraction of the steps before pruning starts'),
  pruneCooldown: fraction.default(0.1).describe('fraction of the steps after pruning ends'),
  lambda: z.number().min(0).lt(1).default(0.9).describe('moving average of importance'),
  power: z
    .union([z.literal(1), z.literal(2)])
    .default(1)
    .describe('1: absolute value (the published code); 2: square'),
  normalise: z.enum(['none', 'module']).default('module').describe("divide each projection's scores by their norm"),
  reduction: z
    .enum(['sum', 'mean', 'max', 'product', 'last'])
    .default('sum')
    .describe("how the projections' scores of a group become one; last: that of o or down"),
  magnitudeNorm: z
    .enum(['l1', 'l2'])
    .default('l1')
    .describe('magnitude: sum of absolute values, or root of the sum of squares'),
  magnitudeWeights: z
    .enum(['merged', 'base'])
    .default('merged')
    .describe('magnitude: of the weights with the adapter or without'),
  movementGradients: z
    .enum(['adapter', 'weights'])
    .default('adapter')
    .describe("movement: estimated from the adapter's gradients, or the weights' own (more memory and time)"),
  gradientForm: z
    .enum(['element-wise', 'vector-wise', 'mixed'])
    .default('element-wise')
    .describe('gradient: absolute values added up, absolute value of the sum, or with a second-order term'),
  biasCompensation: z
    .boolean()
    .default(true)
    .describe('flap: keep what removed groups give on average as biases (Llama only)'),
  headGroups: z
    .enum(['key-value-heads', 'query-heads'])
    .default('key-value-heads')
    .describe('what leaves attention at once'),
  ranking: z.enum(['local', 'global']).default('local').describe('rank groups within a layer or over all layers'),
  floor: fraction.default(0.1).describe('global ranking: fraction that each layer keeps'),
  uniform: z
    .boolean()
    .default(true)
    .describe('same counts in every layer, so that other programs load the result (local ranking)'),
  protectFirst: fraction.default(0.1).describe('not uniform: fraction of the first layers that stay whole'),
  protectLast: z.int().min(0).default(1).describe('not uniform: number of last layers that stay whole'),
  channelMultiple: z.int().min(1).default(1).describe('channels kept are a multiple of this'),
  outputDtype: z
    .enum(['same', 'float32', 'float16', 'bfloat16'])
    .default('same')
    .describe('type of the written weights'),
  evaluation: evaluationSchema.optional().describe('scores taken of the result'),
  evaluateDense: z.boolean().default(false).describe('score the checkpoint before pruning too, the same way'),
})

export const mergeSchema = z.strictObject({
  kind: z.literal('merge'),
  checkpoint: path,
  adapter: path.describe('PEFT adapter folder'),
  out: path.describe('folder of the merged checkpoint'),
  outputDtype: z
    .enum(['same', 'float32', 'float16', 'bfloat16'])
    .default('same')
    .describe('type of the written weights'),
})

export const evaluateSchema = z.strictObject({
  kind: z.literal('evaluate'),
  checkpoint: path,
  adapter: path.optional().describe('PEFT adapter folder to apply'),
  out: path.optional().describe('folder that takes the scores, task by task'),
  ...machineSettings,
  evaluation: evaluationSchema,
})

const jobs = [finetuneSchema, pruneSchema, mergeSchema, evaluateSchema, sweepSchema] as const
const anyJob = z.discriminatedUnion('kind', jobs)

/** A job of any kind; its settings may have the names of earlier versions (see renamed.ts). */
export const jobSchema = z.preprocess((job: z.input<typeof anyJob>, context) => {
  const schema = jobs.find(({ shape }) => shape.kind.value === job?.kind)
  return schema ? renameJob(job, schema.shape, issuesOf(context)) : job
}, anyJob)

/** A job of a shape, with its evaluation or the settings of its runs, under the settings' names of today. */
export function renameJob<Given>(given: Given, shape: object, onTwice: OnTwice): Given {
  const job = renameSettings(given, shape, onTwice)
  if (typeof job !== 'object' || job === null) return job
  const at =
    (...place: string[]): OnTwice =>
    (inside, message) =>
      onTwice([...place, ...inside], message)
  const change = <Value>(name: string, rename: (value: Value) => Value) =>
    Object.hasOwn(shape, name) && Object.hasOwn(job, name)
      ? { [name]: rename((job as Record<string, Value>)[name]!) }
      : {}
  const ofRun = (settings: unknown, place: OnTwice) => renameJob(settings, pruneSchema.shape, place)
  return {
    ...job,
    ...change('evaluation', (evaluation) => renameSettings(evaluation, evaluationSchema.shape, at('evaluation'))),
    ...change('base', (base) => ofRun(base, at('base'))),
    ...change('values', (lists) => renameLists(lists, pruneSchema.shape, at('values'))),
    ...change('variants', (groups) =>
      Array.isArray(groups) ? groups.map((group, index) => ofRun(group, at('variants', String(index)))) : groups,
    ),
  }
}

const issuesOf =
  ({ addIssue }: z.core.$RefinementCtx): OnTwice =>
  (at, message) =>
    addIssue({ code: 'custom', path: [...at], message })

const lists = sweepSchema.pick({ preset: true, values: true, variants: true })
/** Lists and groups of settings, without the checkpoint that they are for. */
export const sweepListsSchema = z.preprocess(
  (given: z.input<typeof lists>, context) => renameJob(given, lists.shape, issuesOf(context)),
  lists,
)
export type SweepLists = z.infer<typeof sweepListsSchema>

export type Job = z.infer<typeof jobSchema>
export type FinetuneJob = z.infer<typeof finetuneSchema>
export type PruneJob = z.infer<typeof pruneSchema>
export type MergeJob = z.infer<typeof mergeSchema>
export type EvaluateJob = z.infer<typeof evaluateSchema>
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
export const scoresSchema = z.object({
  tasks: z.partialRecord(taskName, taskScore),
  perplexity: z.record(z.string(), perplexity),
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

const parameters = z.object({ before: z.int(), after: z.int() })
/** Where the frozen weights lie while a graphics card computes. */
const placementSchema = z.object({
  /** The card, in words. */
  device: z.string(),
  /** Whether the card has no memory of its own, but takes the computer's. */
  sharesMemory: z.boolean(),
  weightBytes: z.number(),
  /** What weights may take of the card's memory; null where the card does not say how much it has. */
  budgetBytes: z.number().nullable(),
  /** What does not stay on the card and is sent to it anew in every pass through the model, and what each pass costs. */
  streamedBytes: z.number(),
  secondsPerPass: z.number(),
  /** All of it in a sentence. */
  detail: z.string(),
})
export type Placement = z.infer<typeof placementSchema>

export const estimateSchema = z.object({
  parameters,
  /** Bytes that the run writes, and that its process holds at most. */
  diskBytes: z.number(),
  memoryBytes: z.number(),
  freeDiskBytes: z.number(),
  freeMemoryBytes: z.number(),
  /** Left out where no graphics card computes. */
  placement: placementSchema.optional(),
})
export type Estimate = z.infer<typeof estimateSchema>

export const stepMetricsSchema = z.object({
  step: z.int(),
  loss: z.number().nullable(),
  learningRate: z.number(),
  gradientNorm: z.number().nullable(),
  tokens: z.int(),
  sparsity: z.object({ planned: z.number(), heads: z.number(), channels: z.number() }).optional(),
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
  'reading data',
  'reading weights',
  'scoring dense',
  'training',
  'generating samples',
  'writing',
  'scoring',
  'measuring speed',
  'sweeping',
])
export type Stage = z.infer<typeof stageSchema>

const resultEvent = z.object({
  type: z.literal('result'),
  checkpoint: z.string().optional(),
  adapter: z.string().optional(),
  parameters: parameters.optional(),
  tasks: scoresSchema.shape.tasks.optional(),
  perplexity: scoresSchema.shape.perplexity.optional(),
  latency: scoresSchema.shape.latency,
  examples: scoresSchema.shape.examples,
  /** Of a sweep: report.md with its table and figures. */
  report: z.string().optional(),
  /** Scores of the checkpoint before pruning, where `evaluateDense` asked for them. */
  dense: scoresSchema.optional(),
  /** Fraction of the projections' weights that are not zero, before the adapter is merged and after; unstructured only. */
  density: z.object({ before: z.number(), after: z.number() }).optional(),
  peakMemoryBytes: z.number().optional(),
  seconds: z.number().optional(),
  loss: z.number().nullable().optional(),
})
const errorEvent = failureSchema.extend({ type: z.literal('error') })

/** What a run process sends. */
export const eventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('started'), job: jobSchema, backend: z.string(), threads: z.int() }),
  z.object({ type: z.literal('estimate'), estimate: estimateSchema }),
  z.object({
    type: z.literal('progress'),
    stage: stageSchema,
    /** 0 where the total is not known. */
    total: z.number(),
    done: z.number(),
    /** The task or text that is being scored. */
    item: z.string().optional(),
    /** How many such items are over, of how many: the stage as a whole is (parts.done + done / total) / parts.total. */
    parts: z.object({ done: z.int(), total: z.int() }).optional(),
    /** Of the stage as a whole, once it can be told. */
    secondsLeft: z.number().optional(),
  }),
  /**
   * Steps reach a slow reader with gaps in their numbers, as do `pruned` and `sample`: what is missing stands in
   * metrics.jsonl, pruning.jsonl and samples.jsonl, which are written before the event is sent.
   */
  z.object({
    type: z.literal('step'),
    steps: z.int(),
    tokensPerSecond: z.number(),
    secondsLeft: z.number(),
    /** Resident memory of the process. */
    memoryBytes: z.number(),
    metrics: stepMetricsSchema,
  }),
  z.object({ type: z.literal('pruned'), snapshot: pruningSnapshotSchema }),
  z.object({ type: z.literal('sample'), sample: sampleSchema }),
  z.object({ type: z.literal('log'), level: z.enum(['info', 'warning', 'error']), message: z.string() }),
  z.object({ type: z.literal('saved'), step: z.int() }),
  z.object({ type: z.literal('warning'), message: z.string() }),
  resultEvent,
  errorEvent,
])
export type EngineEvent = z.infer<typeof eventSchema>
export type ProgressEvent = Extract<EngineEvent, { type: 'progress' }>
export type ResultEvent = Extract<EngineEvent, { type: 'result' }>
export type ErrorEvent = Extract<EngineEvent, { type: 'error' }>

/** What a run process is told. It exits with the codes of the command line: 0 done, 130 stopped, and so on. */
export const commandSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('run'),
    job: jobSchema,
    /** Continue the run in the job's folder instead of starting one. */
    resume: z.boolean().default(false),
  }),
  /** End after the current step with the state saved: the last event is an `error` of kind `interrupted`. */
  z.strictObject({ type: z.literal('stop') }),
])
export type Command = z.input<typeof commandSchema>

/** run.json of a run folder. */
export const runFileSchema = z.object({
  version: z.literal(1),
  job: jobSchema,
  started: z.string(),
  software: z.record(z.string(), z.string()),
  hardware: z.object({ processor: z.string(), cores: z.int(), memoryBytes: z.number() }),
})
export type RunFile = z.infer<typeof runFileSchema>

/** result.json of a run folder: how the run, or its last attempt, ended, and when. */
export const resultFileSchema = z.object({
  finished: z.string(),
  outcome: z.discriminatedUnion('type', [resultEvent, errorEvent]),
})

/** scores.json of a run folder: what is scored so far, of the checkpoint before pruning and of the result. */
export const scoresFileSchema = z.object({ dense: scoresSchema.optional(), result: scoresSchema.optional() })
export type ScoresFile = z.infer<typeof scoresFileSchema>

/** Everything that the history needs of a run folder, whoever made it. */
export const runReportSchema = z.object({
  path: z.string(),
  ...runFileSchema.omit({ version: true }).shape,
  /** `running`: a live process holds the folder's lock. */
  state: z.enum(['done', 'interrupted', 'never-started', 'running']),
  finished: z.string().nullable(),
  result: resultEvent.nullable(),
  /** Why the last attempt ended early, where it could still say so. */
  error: failureSchema.nullable(),
  scores: scoresFileSchema.nullable(),
  /** Last step in metrics.jsonl, and the one that a resumed run goes on from; 0 where there is none. */
  lastStep: z.int(),
  lastSavedStep: z.int(),
  /** Lines of metrics.jsonl, pruning.jsonl and samples.jsonl that are whole. */
  counts: z.object({ metrics: z.int(), snapshots: z.int(), samples: z.int() }),
  bytes: z.number(),
})
export type RunReport = z.infer<typeof runReportSchema>

/** An estimate with everything that a person weighs before a start. */
export const jobEstimateSchema = estimateSchema.extend({
  /** Layers of the checkpoint that the job will leave. */
  layersAfter: z.array(layerSchema),
  /** Of the whole job on this computer; null where it cannot be told. */
  seconds: z.number().nullable(),
  /** How that was got, in a sentence. */
  secondsFrom: z.string(),
  /** What scoring would cost beside the fine-tuning by each criterion, in all (of a sweep: in its first run); null where nothing is scored. */
  scoring: z.record(criterionName, z.object({ memoryBytes: z.number(), seconds: z.number() })).nullable(),
  /** Of a sweep: how many runs it is, and what is left by, and the time of, the smallest and the largest of them. */
  sweep: z
    .object({
      runs: z.int(),
      parameters: z.object({ least: z.int(), most: z.int() }),
      seconds: z.object({ least: z.number(), most: z.number() }),
    })
    .optional(),
  /** Whether memory and disk suffice: a job that does not fit is refused. */
  fits: z.boolean(),
  warnings: z.array(z.string()),
})
export type JobEstimate = z.infer<typeof jobEstimateSchema>

/** Back ends that compute, and why one cannot be used here. */
export const devicesSchema = z.object({
  /** The back end that `auto` takes. */
  chosen: z.string(),
  backends: z.array(
    z.object({
      name: backendName,
      works: z.boolean(),
      /** Why it is not used, or what it computes on, in words for a person. */
      detail: z.string(),
      /** The processor or graphics card. */
      device: z.string().nullable(),
      /** Memory of the device, where it can be told. */
      memoryBytes: z.number().nullable(),
      /** Speed of a frozen linear layer, where it was measured to choose. */
      gigaflops: z.number().nullable(),
    }),
  ),
  processor: z.string(),
  cores: z.int(),
  memoryBytes: z.number(),
})
export type Devices = z.infer<typeof devicesSchema>

const dataset = { path, kind: datasetKind.optional(), field: z.string().min(1).optional(), checkpoint: path }

/** What the service process answers. A method that takes long also sends progress, and every request can be cancelled. */
export const serviceMethods = {
  /** What a folder is: a checkpoint or an adapter. Reads headers alone. */
  inspect: { params: z.strictObject({ checkpoint: path }), result: inspectionSchema },
  /** Hash of a checkpoint's or adapter's content, to tell duplicates. Progress in bytes. */
  hash: { params: z.strictObject({ folder: path }), result: folderHashSchema },
  /** Format and kind of a data file or a folder of images. */
  detectDataset: { params: z.strictObject({ path }), result: datasetSchema },
  /** Rows as the model will see them. */
  previewDataset: {
    params: z.strictObject({
      ...dataset,
      trainOn: training.trainOn,
      offset: z.int().min(0).default(0),
      limit: z.int().min(1).max(previewRows).default(20),
    }),
    result: previewSchema,
  },
  /** Histogram of the lengths of examples, over the first `sample` rows. Progress in rows. */
  tokenLengths: {
    params: z.strictObject({ ...dataset, trainOn: training.trainOn, sample: z.int().min(1).max(1e6).default(2000) }),
    result: tokenLengthsSchema,
  },
  /** Small pictures of a folder's images; an image that is damaged has an error in its place. */
  imageThumbnails: {
    params: z.strictObject({
      path,
      offset: z.int().min(0).default(0),
      limit: z.int().min(1).max(100).default(24),
      /** Pixels of the longer side. */
      size: z.int().min(16).max(512).default(128),
    }),
    result: thumbnailsSchema,
  },
  /** What a job will leave, need and take. */
  estimate: { params: z.strictObject({ job: jobSchema }), result: jobEstimateSchema },
  devices: { params: z.strictObject({}), result: devicesSchema },
  /** What a run folder holds. */
  readRunFolder: { params: z.strictObject({ path }), result: runReportSchema },
  /** How many runs lists come to, and what these differ in. */
  planSweep: { params: sweepListsSchema, result: sweepPlanSchema },
  /** How the sweep in a folder stands, whether or not it runs. */
  readSweep: { params: z.strictObject({ path }), result: sweepStateSchema },
  /** The same as a text to keep elsewhere. */
  reportSweep: { params: z.strictObject({ path, as: sweepText }), result: z.string() },
} as const satisfies Record<string, { params: z.ZodType; result: z.ZodType }>

export type ServiceMethod = keyof typeof serviceMethods
export type ServiceParams<Method extends ServiceMethod> = z.input<(typeof serviceMethods)[Method]['params']>
/** The parameters of a method as they are after parsing, with defaults filled in. */
export type ParsedServiceParams<Method extends ServiceMethod> = z.output<(typeof serviceMethods)[Method]['params']>
export type ServiceResult<Method extends ServiceMethod> = z.output<(typeof serviceMethods)[Method]['result']>

const requestId = z.int().min(0)
/** What the service process is sent. */
export const serviceRequestSchema = z.union([
  z.strictObject({ id: requestId, method: z.string(), params: z.unknown() }),
  z.strictObject({ cancel: requestId }),
])
export type ServiceRequest = z.infer<typeof serviceRequestSchema>

/** What it answers: any number of progresses, then one result or error. A cancelled request ends with `interrupted`. */
export const serviceResponseSchema = z.union([
  z.strictObject({ id: requestId, result: z.unknown() }),
  z.strictObject({ id: requestId, error: failureSchema }),
  z.strictObject({ id: requestId, progress: z.object({ done: z.number(), total: z.number() }) }),
])
export type ServiceResponse = z.infer<typeof serviceResponseSchema>

/** What a job is run with: where events go, and what stops it. */
export interface JobContext {
  emit: (event: EngineEvent) => void
  signal: AbortSignal
  /** Continue the run in the folder instead of starting one. */
  resume: boolean
}
