import { z } from 'zod'
import { errorKinds } from '../shared/errors.ts'
import { rowCountsSchema } from './metrics.ts'
import { failureSchema } from './names.ts'

/** What the data and task files of a job hold, all of them read and encoded as the job will. */
export const dataCheckSchema = z.object({
  /** What becomes of the rows of the training data; null where the job trains on none, or where they cannot be read. */
  rows: rowCountsSchema.nullable(),
  /** Tokens at which conversations are cut; null where they are not. */
  cutAt: z.int().nullable(),
  /** Which rows are not learnt, or not whole, why, and what length would lose none, in a sentence; null where all are. */
  loss: z.string().nullable(),
  /** Rows that cannot be read and for which the job is refused: `badRows: 'skip'` would leave them out. */
  badRows: z.int(),
  /** Why the job would be refused, by file and row; of many bad rows the first ones. Empty where it would not be. */
  problems: z.array(failureSchema.extend({ kind: z.enum(errorKinds) })),
})
export type DataCheck = z.infer<typeof dataCheckSchema>
