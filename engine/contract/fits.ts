import { z } from 'zod'

/** Whether one kind of work with a checkpoint fits this computer, at its best precision that does. */
const fitSchema = z.object({
  fits: z.boolean(),
  /** What the frozen weights are held in: their own type, or "8-bit". */
  precision: z.string(),
  /** Whether it takes smaller batches than the defaults, and computes activations again. */
  reduced: z.boolean(),
  /** Memory of the computer that it needs at most. */
  memoryBytes: z.number(),
  /** What computes; `streamed` where weights do not stay on the graphics card. */
  placement: z.enum(['processor', 'card', 'streamed']),
  /** Where the weights lie, in a sentence; why it does not fit. Null where there is nothing to say. */
  detail: z.string().nullable(),
})
export type Fit = z.infer<typeof fitSchema>

/** What can be done with a checkpoint on this computer, with default settings and all of its memory. */
export const fitsSchema = z.object({
  /** Memory of the computer that may be taken. */
  computerBytes: z.number(),
  train: fitSchema,
  prune: fitSchema,
  /** Scored, and continuing a prompt. */
  run: fitSchema,
})
export type Fits = z.infer<typeof fitsSchema>
