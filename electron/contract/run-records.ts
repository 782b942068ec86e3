import { z } from 'zod'
import { logEntrySchema } from '../../engine/contract/index.ts'
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
