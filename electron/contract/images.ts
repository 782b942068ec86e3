import { z } from 'zod'
import { comparedImagesSchema, imageFilter, scoredCheckpoint } from '../../engine/contract/index.ts'
import { id, type MethodTable, path } from './common.ts'

export { comparedImagesSchema, imageFilter, scoredCheckpoint }
export type { AnswerOutcome, ComparedImages, ScoredCheckpoint } from '../../engine/contract/index.ts'

/** A checkpoint that a run has scored. */
export const scoredByRun = z.strictObject({ run: id, which: scoredCheckpoint })
export type ScoredByRun = z.infer<typeof scoredByRun>

/** A small image, or why there is none. */
const thumbnail = z.object({ dataUrl: z.string(), problem: z.string().optional() })

/** Requests about images that runs have scored. */
export const imageMethods = {
  /** What two checkpoints said of the same images, or one of them alone; null where a run kept no predictions. */
  'images.compare': [
    z.strictObject({
      before: scoredByRun.optional(),
      after: scoredByRun,
      ...imageFilter,
      limit: z.int().min(1).max(60).default(24),
    }),
    comparedImagesSchema.nullable(),
  ],
  'images.thumbnails': [
    z.strictObject({ images: z.array(z.strictObject({ file: path, row: z.int().min(0).nullable() })).max(60) }),
    z.array(thumbnail),
  ],
} as const satisfies MethodTable
