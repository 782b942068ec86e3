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
/** Linear layers of a decoder's block, and those that an encoder's has in place of the last three. */
export const decoderLinears = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] as const
export const linearName = z.enum([...decoderLinears, 'fc1', 'fc2'])

/** A name that the user chooses and values are kept by; some words are properties of every object. */
export const isPlainName = (name: string): boolean => !(name in {})

/** A Failure of engine/shared/errors.ts, which says what its fields mean. */
export const failureSchema = z.object({
  kind: z.string(),
  message: z.string(),
  file: z.string().optional(),
  field: z.string().optional(),
}) satisfies z.ZodType<Failure>
