import { z } from 'zod'
import { compatibilitySchema } from './compatibility.ts'
import { estimateSchema, parametersSchema, removalSchema, trainableSchema } from './estimate.ts'
import { besideDenseSchema, scoresSchema } from './evaluation.ts'
import { exportedSchema } from './export.ts'
import { jobSchema } from './job.ts'
import { pruningSnapshotSchema, rowCountsSchema, sampleSchema, stageSchema, stepMetricsSchema } from './metrics.ts'
import { failureSchema, path } from './names.ts'
import { logEntrySchema, overallSchema, phaseSchema, phaseWorkSchema } from './phases.ts'

/** The loss on held-out rows, where a job measures it. */
export const validationSchema = z.object({
  /** The file that they come from; null where they were held out of the training data, drawn by the seed. */
  file: z.string().nullable(),
  seed: z.int(),
  /** Rows, and tokens that loss is taken of. */
  rows: z.int(),
  targets: z.int(),
  /** After the last step; null where it was not measured, or is not a number. */
  last: z.number().nullable(),
  /** Least of those whose adapter may be written. */
  best: z.object({ step: z.int(), loss: z.number(), top1: z.number().optional() }).nullable(),
  /** The step whose adapter was written. */
  written: z.int(),
  /** Of images: fraction whose class is the likeliest one, after the last step; left out where it was not measured. */
  lastTop1: z.number().optional(),
})
export type Validation = z.infer<typeof validationSchema>

/** How a job ended, and what came of it. */
export const resultEventSchema = z.object({
  type: z.literal('result'),
  checkpoint: z.string().optional(),
  adapter: z.string().optional(),
  parameters: parametersSchema.optional(),
  /** What a run trained. */
  trainable: trainableSchema.optional(),
  removal: removalSchema.optional(),
  /** Which programs load the checkpoint that was written. */
  compatibility: z.array(compatibilitySchema).optional(),
  tasks: scoresSchema.shape.tasks.optional(),
  perplexity: scoresSchema.shape.perplexity.optional(),
  classification: scoresSchema.shape.classification,
  latency: scoresSchema.shape.latency,
  examples: scoresSchema.shape.examples,
  examplesRan: scoresSchema.shape.examplesRan,
  export: exportedSchema.optional(),
  /** Of a sweep: report.md with its table and figures. */
  report: z.string().optional(),
  /** Of a sweep: runs that could not be done, where there are any. */
  failedRuns: z.int().optional(),
  /** Their names, and that of the dense checkpoint where it could not be scored; report.md says why. */
  failed: z.array(z.string()).optional(),
  /** Scores of the checkpoint before pruning, where `evaluateDense` or `compareWith` asked for them. */
  dense: scoresSchema.optional(),
  /** What changed from the dense checkpoint to the result, where both are scored. */
  besideDense: besideDenseSchema.optional(),
  /** Fraction of the linear layers' weights that are not zero, before the adapter is merged and after; unstructured only. */
  density: z.object({ before: z.number(), after: z.number() }).optional(),
  /** What became of the rows of the training data: which were lost, and why. */
  data: rowCountsSchema.optional(),
  validation: validationSchema.optional(),
  peakMemoryBytes: z.number().optional(),
  /** That the run took, earlier attempts at it included. */
  seconds: z.number().optional(),
  loss: z.number().nullable().optional(),
})
export const errorEventSchema = failureSchema.extend({ type: z.literal('error') })

/** What a run process sends. */
export const eventSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('started'),
    job: jobSchema,
    backend: z.string(),
    threads: z.int(),
    /** The processor or graphics card that computes, and why other back ends do not. */
    device: z.string().optional(),
    refused: z.array(z.object({ name: z.string(), reason: z.string() })).optional(),
  }),
  z.object({ type: z.literal('estimate'), estimate: estimateSchema }),
  z.object({
    type: z.literal('progress'),
    stage: stageSchema,
    /** 0 where the total is not known. */
    total: z.number(),
    done: z.number(),
    /** The task or text that is being scored; the runs of a sweep that are at work. */
    item: z.string().optional(),
    /** How many such items are over, of how many: the stage as a whole is (parts.done + done / total) / parts.total. */
    parts: z.object({ done: z.int(), total: z.int() }).optional(),
    /** Of the stage as a whole, once it can be told. */
    secondsLeft: z.number().optional(),
  }),
  /** The work of the phases that it can be told of, before the first of them begins. */
  z.object({ type: z.literal('work'), phases: z.partialRecord(phaseSchema, phaseWorkSchema) }),
  z.object({ type: z.literal('phase'), phase: phaseSchema }),
  /** How far the run is as a whole; told again as it goes on. */
  z.object({ type: z.literal('overall'), overall: overallSchema }),
  /** A line of the run's log, which says all that was decided: log.jsonl has it too, where there is a run folder. */
  z.object({ type: z.literal('logged'), line: logEntrySchema }),
  /**
   * Steps reach a slow reader with gaps in their numbers, as do `pruned` and `sample`: what is missing stands in
   * metrics.jsonl, pruning.jsonl and samples.jsonl, which are written before the event is sent.
   */
  z.object({
    type: z.literal('step'),
    steps: z.int(),
    tokensPerSecond: z.number(),
    /** Of a model that sees images. */
    imagesPerSecond: z.number().optional(),
    secondsLeft: z.number(),
    /** Resident memory of the process. */
    memoryBytes: z.number(),
    metrics: stepMetricsSchema,
  }),
  z.object({ type: z.literal('pruned'), snapshot: pruningSnapshotSchema }),
  z.object({ type: z.literal('sample'), sample: sampleSchema }),
  /** What became of the rows of the training data, once they are read. */
  z.object({ type: z.literal('data'), rows: rowCountsSchema }),
  /** The loss on held-out rows after a step, and whether it is the least of those whose adapter may be written. */
  z.object({
    type: z.literal('validated'),
    step: z.int(),
    loss: z.number().nullable(),
    /** Of images. */
    top1: z.number().optional(),
    best: z.boolean(),
  }),
  z.object({ type: z.literal('log'), level: z.enum(['info', 'warning', 'error']), message: z.string() }),
  z.object({ type: z.literal('saved'), step: z.int() }),
  z.object({ type: z.literal('warning'), message: z.string() }),
  resultEventSchema,
  errorEventSchema,
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
    /** Folder of an evaluation of the dense checkpoint, on what the job is scored on: a sweep scores it once for all its runs. */
    dense: path.optional(),
  }),
  /** End after the current step with the state saved: the last event is an `error` of kind `interrupted`. */
  z.strictObject({ type: z.literal('stop') }),
])
export type Command = z.input<typeof commandSchema>
/** What a run process is to run, checked. */
export type RunCommand = Extract<z.output<typeof commandSchema>, { type: 'run' }>

/** What a job is run with: where events go, and what stops it. */
export interface JobContext {
  emit: (event: EngineEvent) => void
  signal: AbortSignal
  /** Continue the run in the folder instead of starting one. */
  resume: boolean
  /** Folder of an evaluation of the dense checkpoint, on what the job is scored on. */
  dense?: string | undefined
  /** Called with the run's folder once it is the run's own: the log is kept there from then on. */
  keepLog?: (folder: string, isNew: boolean) => void
}
