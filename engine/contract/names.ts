import { z } from 'zod'

/** Parts that several messages of contract B share. */

export const path = z.string().min(1)
export const projection = z.enum(['q', 'k', 'v', 'o', 'gate', 'up', 'down'])
export const taskName = z.enum(['boolq', 'piqa', 'hellaswag', 'winogrande', 'arc_easy', 'arc_challenge', 'openbookqa'])

/** What went wrong, for a person: `kind` is an ErrorKind of engine/shared/errors.ts, or `internal`. */
export const failureSchema = z.object({
  kind: z.string(),
  message: z.string(),
  /** File or folder that was being read or written, and the field, tensor or line in it or the setting. */
  file: z.string().optional(),
  field: z.string().optional(),
})
export type Failure = z.infer<typeof failureSchema>
