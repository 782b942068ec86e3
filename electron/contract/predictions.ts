import { z } from 'zod'
import { choiceFilter, comparedChoicesSchema } from '../../engine/contract/index.ts'
import type { MethodTable } from './common.ts'
import { scoredByRun } from './images.ts'

export type { ChoiceOrder, ComparedChoices } from '../../engine/contract/index.ts'

/** Requests about rows of tasks that runs have scored. */
export const predictionMethods = {
  /** What two checkpoints said of the same rows, or one of them alone; null where a run kept no predictions of the task. */
  'predictions.compare': [
    z.strictObject({
      before: scoredByRun.optional(),
      after: scoredByRun,
      ...choiceFilter,
      limit: z.int().min(1).max(500).default(50),
    }),
    comparedChoicesSchema.nullable(),
  ],
} as const satisfies MethodTable
