import { z } from 'zod'

/**
 * Contract B: the job that the engine is given, and the events that come out. The command line and the app send the same
 * job; every message is parsed with these schemas at the boundary.
 */

const path = z.string().min(1)
const fraction = z.number().min(0).max(1)
const projection = z.enum(['q', 'k', 'v', 'o', 'gate', 'up', 'down'])
const taskName = z.enum(['boolq', 'piqa', 'hellaswag', 'winogrande', 'arc_easy', 'arc_challenge', 'openbookqa'])

const machine = {
  device: z.enum(['auto', 'onnx', 'cpu']).default('auto').describe('back end that computes'),
  threads: z.int().min(1).max(1024).optional().describe('threads of one operator; default: all cores'),
}

/** What to score a checkpoint on. */
export const evaluationSchema = z.strictObject({
  tasks: z.partialRecord(taskName, path).default({}).describe('task files by task name'),
  perplexity: z.record(z.string().min(1), path).default({}).describe('text files by a name of your choice'),
  mode: z.enum(['modern', 'legacy']).default('modern').describe("harness to follow: today's, or that of the papers"),
  limit: z.int().min(1).optional().describe('rows scored of each task'),
  shots: z.int().min(0).max(64).default(0).describe('solved examples in front of each row'),
  window: z.int().min(2).default(128).describe('tokens in a perplexity window'),
  windows: z.int().min(1).optional().describe('perplexity windows at most'),
  batchTokens: z.int().min(1).default(2048).describe('tokens in a scoring batch'),
  rows: path.optional().describe('file that takes one JSON line a scored row'),
  latency: z.boolean().default(false).describe('measure tokens per second'),
})

const training = {
  data: z.array(path).min(1).describe('training files: text, JSON lines or Parquet'),
  field: z.string().optional().describe('field that holds the text or the messages'),
  trainOn: z.enum(['answers', 'everything']).default('answers').describe('where loss is taken in instruction data'),
  packing: z.enum(['pack', 'pack-documents', 'pad']).default('pack').describe('how examples fill rows'),
  length: z.int().min(2).default(256).describe('tokens in a row'),
  rows: z.int().min(1).default(4).describe('rows in a micro-batch'),
  accumulation: z.int().min(1).default(1).describe('micro-batches in an optimiser step'),
  documents: z.int().min(1).optional().describe('documents read at most'),
  steps: z.int().min(1).optional().describe('optimiser steps; default: what --epochs says'),
  epochs: z.number().positive().default(2).describe('passes through the data, where steps are not given'),
  learningRate: z.number().positive().default(1e-4).describe('peak learning rate'),
  warmUp: fraction.default(0).describe('fraction of the steps in which the learning rate rises'),
  decay: z.enum(['constant', 'linear', 'cosine']).default('cosine').describe('how the learning rate falls'),
  weightDecay: z.number().min(0).default(0).describe('decoupled weight decay'),
  clipNorm: z.number().positive().default(1).describe('largest norm of the gradient'),
  beta1: fraction.default(0.9).describe('AdamW: decay of the first moment'),
  beta2: fraction.default(0.999).describe('AdamW: decay of the second moment'),
  epsilon: z.number().positive().default(1e-8).describe('AdamW: keeps the division sane'),
  rank: z.int().min(1).max(1024).default(8).describe('rank of the adapter'),
  alpha: z.number().positive().default(16).describe('adapter scale is alpha / rank'),
  dropout: z.number().min(0).max(0.95).default(0.05).describe("dropout of the adapter's input"),
  rankStabilised: z.boolean().default(false).describe('rsLoRA: scale alpha / sqrt(rank)'),
  projections: z
    .array(projection)
    .min(1)
    .default(['q', 'k', 'v', 'o', 'gate', 'up', 'down'])
    .describe('linear layers that get an adapter'),
  activations: z
    .enum(['auto', 'keep', 'recompute'])
    .default('auto')
    .describe('keep activations for the backward pass (faster) or compute blocks again (less memory)'),
  int8: z.boolean().default(false).describe('hold the frozen weights in 8 bits'),
  seed: z.int().min(0).default(0).describe('seed of everything random'),
  saveEvery: z.int().min(1).default(50).describe('steps between two saved states'),
}

export const finetuneSchema = z.strictObject({
  kind: z.literal('finetune'),
  checkpoint: path,
  out: path.describe('run folder'),
  ...machine,
  ...training,
})

export const pruneSchema = z.strictObject({
  kind: z.literal('prune'),
  checkpoint: path,
  out: path.describe('run folder; the smaller checkpoint is in its output/'),
  ...machine,
  ...training,
  criterion: z.enum(['loraprune']).default('loraprune').describe('how importance is scored'),
  ratio: z.number().gt(0).max(0.95).default(0.5).describe('fraction of heads and channels to remove'),
  targetFraction: z.number().gt(0).lt(1).optional().describe('fraction of all parameters to keep, in place of ratio'),
  targetParameters: z.int().min(1).optional().describe('parameters to keep at most, in place of ratio'),
  frequency: z.int().min(1).default(10).describe('optimiser steps between two prunings'),
  pruneWarmUp: fraction.default(0.1).describe('fraction of the steps before pruning starts'),
  pruneCoolDown: fraction.default(0.1).describe('fraction of the steps after pruning ends'),
  lambda: z.number().min(0).lt(1).default(0.9).describe('moving average of importance'),
  power: z
    .union([z.literal(1), z.literal(2)])
    .default(1)
    .describe('1: absolute value (the published code); 2: square'),
  normalise: z.enum(['none', 'module']).default('module').describe("divide each projection's scores by their norm"),
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
  dtype: z.enum(['same', 'float32', 'float16', 'bfloat16']).default('same').describe('type of the written weights'),
  evaluation: evaluationSchema.optional().describe('scores taken of the result'),
})

export const mergeSchema = z.strictObject({
  kind: z.literal('merge'),
  checkpoint: path,
  adapter: path.describe('PEFT adapter folder'),
  out: path.describe('folder of the merged checkpoint'),
  dtype: z.enum(['same', 'float32', 'float16', 'bfloat16']).default('same').describe('type of the written weights'),
})

export const evaluateSchema = z.strictObject({
  kind: z.literal('evaluate'),
  checkpoint: path,
  adapter: path.optional().describe('PEFT adapter folder to apply'),
  out: path.optional().describe('folder that takes scores.json'),
  ...machine,
  evaluation: evaluationSchema,
})

export const jobSchema = z.discriminatedUnion('kind', [finetuneSchema, pruneSchema, mergeSchema, evaluateSchema])
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
export const scoresSchema = z.object({
  tasks: z.partialRecord(taskName, taskScore),
  perplexity: z.record(z.string(), perplexity),
  latency: z.object({ promptTokensPerSecond: z.number(), generatedTokensPerSecond: z.number() }).optional(),
})
export type Scores = z.infer<typeof scoresSchema>

const parameters = z.object({ before: z.int(), after: z.int() })
export const estimateSchema = z.object({
  parameters,
  /** Bytes that the run writes, and that its process holds at most. */
  diskBytes: z.number(),
  memoryBytes: z.number(),
  freeDiskBytes: z.number(),
  freeMemoryBytes: z.number(),
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

export const eventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('started'), job: jobSchema, backend: z.string(), threads: z.int() }),
  z.object({ type: z.literal('estimate'), estimate: estimateSchema }),
  z.object({ type: z.literal('progress'), stage: z.string(), done: z.number(), total: z.number() }),
  z.object({
    type: z.literal('step'),
    steps: z.int(),
    tokensPerSecond: z.number(),
    secondsLeft: z.number(),
    metrics: stepMetricsSchema,
  }),
  z.object({ type: z.literal('saved'), step: z.int() }),
  z.object({ type: z.literal('warning'), message: z.string() }),
  z.object({
    type: z.literal('result'),
    checkpoint: z.string().optional(),
    adapter: z.string().optional(),
    parameters: parameters.optional(),
    tasks: scoresSchema.shape.tasks.optional(),
    perplexity: scoresSchema.shape.perplexity.optional(),
    latency: scoresSchema.shape.latency,
    peakMemoryBytes: z.number().optional(),
    seconds: z.number().optional(),
    loss: z.number().nullable().optional(),
  }),
  z.object({
    type: z.literal('error'),
    kind: z.string(),
    message: z.string(),
    file: z.string().optional(),
    field: z.string().optional(),
  }),
])
export type EngineEvent = z.infer<typeof eventSchema>
export type ResultEvent = Extract<EngineEvent, { type: 'result' }>

/** What a job is run with: where events go, and what stops it. */
export interface JobContext {
  emit: (event: EngineEvent) => void
  signal: AbortSignal
  /** Continue the run in the folder instead of starting one. */
  resume: boolean
}
