import { z } from 'zod'
import type { Failure } from '../shared/errors.ts'

/** Parts that several messages of contract B share. */

export const path = z.string().min(1)
export const projection = z.enum(['q', 'k', 'v', 'o', 'gate', 'up', 'down'])
export const taskName = z.enum(['boolq', 'piqa', 'hellaswag', 'winogrande', 'arc_easy', 'arc_challenge', 'openbookqa'])

/** A Failure of engine/shared/errors.ts, which says what its fields mean. */
export const failureSchema = z.object({
  kind: z.string(),
  message: z.string(),
  file: z.string().optional(),
  field: z.string().optional(),
}) satisfies z.ZodType<Failure>
