import { z } from 'zod'
import { comparedPicturesSchema, pictureFilter, scoredCheckpoint } from '../../engine/contract/index.ts'
import { id, type MethodTable, path } from './common.ts'

export { comparedPicturesSchema, pictureFilter, scoredCheckpoint }
export type { ComparedPictures, PictureOutcome, ScoredCheckpoint } from '../../engine/contract/index.ts'

/** A checkpoint that a run has scored. */
export const scoredByRun = z.strictObject({ run: id, which: scoredCheckpoint })
export type ScoredByRun = z.infer<typeof scoredByRun>

/** A small picture, or why there is none. */
const thumbnail = z.object({ dataUrl: z.string(), problem: z.string().optional() })

/** Requests about pictures that runs have scored. */
export const pictureMethods = {
  /** What two checkpoints said of the same pictures, or one of them alone; null where a run kept no predictions. */
  'pictures.compare': [
    z.strictObject({
      before: scoredByRun.optional(),
      after: scoredByRun,
      ...pictureFilter,
      limit: z.int().min(1).max(60).default(24),
    }),
    comparedPicturesSchema.nullable(),
  ],
  'pictures.thumbnails': [
    z.strictObject({ pictures: z.array(z.strictObject({ file: path, row: z.int().min(0).nullable() })).max(60) }),
    z.array(thumbnail),
  ],
} as const satisfies MethodTable
