import { z } from 'zod'
import { logEntrySchema, pruningSnapshotSchema, sampleSchema } from '../../engine/contract/index.ts'
import { id, time } from './common.ts'

/** A line of a run's log. */
export const logLineSchema = logEntrySchema.extend({ id, time })
export type LogLine = z.infer<typeof logLineSchema>

/** How busy the computer was, all its programs together; null where the system does not say. */
export const loadPointSchema = z.object({
  time,
  /** Fraction of all processors. */
  processor: z.number().nullable(),
  /** In use. */
  memoryBytes: z.number().nullable(),
  /** Fraction of the graphics card, and its memory in use. */
  card: z.number().nullable(),
  cardMemoryBytes: z.number().nullable(),
})
export type LoadPoint = z.infer<typeof loadPointSchema>

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
