import { z } from 'zod'
import type { Failure } from '../shared/errors.ts'

/** Parts that several messages of contract B share. */

export const path = z
  .string()
  .min(1)
  .regex(/^[^\0]*$/, 'holds a NUL byte')
/** A file or folder that a job reads, and one that it writes: what a job may touch is told by these marks. */
export const readPath = path.meta({ path: 'read' })
export const writtenPath = path.meta({ path: 'written' })
/** A linear layer of a decoder's block. */
export const linearName = z.enum(['q', 'k', 'v', 'o', 'gate', 'up', 'down'])

/** A Failure of engine/shared/errors.ts, which says what its fields mean. */
export const failureSchema = z.object({
  kind: z.string(),
  message: z.string(),
  file: z.string().optional(),
  field: z.string().optional(),
}) satisfies z.ZodType<Failure>
