import { z } from 'zod'
import { besideDenseSchema, scoresSchema } from './evaluation.ts'
import { errorEventSchema, resultEventSchema } from './events.ts'
import { jobSchema } from './job.ts'
import { failureSchema } from './names.ts'

/**
 * What a run reads, as it was when the run used it first: fingerprints by setting (`data`, `data.1`, `evaluation.tasks.piqa`)
 * and by the names of files within what the setting names; under an empty name that of many files together.
 */
const inputsSchema = z.record(z.string(), z.record(z.string(), z.string()))
export type RunInputs = z.infer<typeof inputsSchema>

/** run.json of a run folder. */
export const runFileSchema = z.object({
  version: z.literal(1),
  job: jobSchema,
  started: z.string(),
  software: z.record(z.string(), z.string()),
  hardware: z.object({ processor: z.string(), cores: z.int(), memoryBytes: z.number() }),
  /** Runs of earlier versions, and those that are made of tasks, have none. */
  inputs: inputsSchema.optional(),
})
export type RunFile = z.infer<typeof runFileSchema>

/** result.json of a run folder: how the run, or its last attempt, ended, and when. */
export const resultFileSchema = z.object({
  finished: z.string(),
  outcome: z.discriminatedUnion('type', [resultEventSchema, errorEventSchema]),
})

/** attempts.json of a run folder: when each attempt at the run was started, and how many seconds it took. */
export const attemptsFileSchema = z.object({
  version: z.literal(1),
  attempts: z.array(z.object({ started: z.string(), seconds: z.number().min(0) })),
})
export type AttemptsFile = z.infer<typeof attemptsFileSchema>

/** scores.json of a run folder: what is scored so far, of the checkpoint before pruning and of the result. */
export const scoresFileSchema = z.object({
  dense: scoresSchema.optional(),
  result: scoresSchema.optional(),
  besideDense: besideDenseSchema.optional(),
})
export type ScoresFile = z.infer<typeof scoresFileSchema>

/** Files of a run folder with the rows that the dense model wrote. */
export const selfDataFiles = { rows: 'self-data.jsonl', facts: 'self-data.json' } as const

/** self-data.json of a run folder: what self-data.jsonl holds, the rows that the dense model wrote. */
export const selfDataFileSchema = z.strictObject({
  version: z.literal(1),
  /** Follows from the checkpoint, the data and the settings: equal keys mean equal rows. */
  key: z.string(),
  /** Rows that are wanted, and there once the hash is. */
  rows: z.int().min(0),
  /** Of self-data.jsonl, once all rows are there; null before. */
  sha256: z.string().nullable(),
})
export type SelfDataFile = z.infer<typeof selfDataFileSchema>

/** Everything that the history needs of a run folder, whoever made it. */
export const runReportSchema = z.object({
  path: z.string(),
  ...runFileSchema.omit({ version: true, inputs: true }).shape,
  /** `running`: a live process holds the folder's lock. */
  state: z.enum(['done', 'interrupted', 'never-started', 'running']),
  finished: z.string().nullable(),
  result: resultEventSchema.nullable(),
  /** Why the last attempt ended early, where it could still say so. */
  error: failureSchema.nullable(),
  scores: scoresFileSchema.nullable(),
  /** Last step in metrics.jsonl, and the one that a resumed run goes on from; 0 where there is none. */
  lastStep: z.int(),
  lastSavedStep: z.int(),
  /** Lines of metrics.jsonl, pruning.jsonl and samples.jsonl that are whole. */
  counts: z.object({ metrics: z.int(), snapshots: z.int(), samples: z.int() }),
  /** Lines of the journals that are none. */
  warnings: z.array(z.string()),
  bytes: z.number(),
})
export type RunReport = z.infer<typeof runReportSchema>
