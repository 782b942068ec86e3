import { z } from 'zod'
import { modelSpeedSchema, runnerType, speedSchema } from '../../engine/contract/index.ts'
import { byId, done, id, type MethodTable, time } from './common.ts'

/** Lengths of prompts that are measured at once, and measurements that are kept of a checkpoint. */
export const mostSpeeds = { lengths: 6, kept: 20 }

/** A checkpoint in one type: as it was measured, with the entry that it was then. */
const speedRow = modelSpeedSchema.omit({ checkpoint: true }).extend({ checkpointId: id, name: z.string() })
export type SpeedRow = z.infer<typeof speedRow>

/** What was measured at one time: types one after the other, and of each the checkpoint that is laid beside first. */
export const speedReportSchema = z.object({
  id,
  measured: time,
  /** The processor of this computer, which llama.cpp computes on. */
  processor: z.string(),
  newTokens: z.int(),
  repeats: z.int(),
  rows: z.array(speedRow).min(1),
})
export type SpeedReport = z.infer<typeof speedReportSchema>

const named = z.object({ id, name: z.string() })

export const checkpointSpeedsSchema = z.object({
  /** Newest first. */
  reports: z.array(speedReportSchema),
  /** Why nothing can be measured of it; null where something can. */
  refusal: z.string().nullable(),
  /** Whether it is a GGUF file, which runs as it is. */
  asItIs: z.boolean(),
  /** The dense checkpoint that it was made of. */
  dense: named.nullable(),
  /** The run that has the device while a measurement waits for it, null where a question has it; left out where none waits. */
  waitsFor: named.nullable().optional(),
})
export type CheckpointSpeeds = z.infer<typeof checkpointSpeedsSchema>

const { promptTokens, newTokens, repeats } = speedSchema.shape

/** Requests about how fast checkpoints run. */
export const speedMethods = {
  'speeds.of': [byId, checkpointSpeedsSchema],
  /** Measures, and keeps what was measured. */
  'speeds.measure': [
    z.strictObject({
      id,
      /** Laid beside it. */
      beside: id.optional(),
      /** Left out: as F16, and a GGUF file as it is. */
      types: z.array(runnerType).min(1).optional(),
      promptTokens: promptTokens.unwrap().max(mostSpeeds.lengths),
      newTokens,
      repeats,
    }),
    speedReportSchema,
  ],
  /** Measures what waits for a run beside that run. */
  'speeds.now': [byId, done],
  /** Forgets a measurement, by its own id, and brings it back until the checkpoint is measured again. */
  'speeds.remove': [byId, done],
  'speeds.restore': [byId, done],
} as const satisfies MethodTable
