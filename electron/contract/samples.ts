import { z } from 'zod'
import type { MethodTable } from './common.ts'
import { datasetSchema } from './datasets.ts'
import { checkpointSchema } from './library.ts'

/** The models that come with the app, each with data to prune, heal and score it. */
export const sampleName = z.enum(['text', 'images'])
export type SampleName = z.infer<typeof sampleName>

/** Requests about the samples. */
export const sampleMethods = {
  /** Puts a sample's checkpoint into the library and its data on the list of data sets. */
  'samples.import': [
    z.strictObject({ sample: sampleName }),
    z.object({ checkpoint: checkpointSchema, datasets: z.array(datasetSchema) }),
  ],
} as const satisfies MethodTable
