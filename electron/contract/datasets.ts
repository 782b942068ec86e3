import { z } from 'zod'
import {
  datasetFormat,
  datasetKind,
  imageCheckSchema,
  imageSetSchema,
  imageSplit,
  previewSchema as previewPageSchema,
  seenImagesSchema,
  thumbnailsSchema,
  tokenLengthsSchema,
} from '../../engine/contract/index.ts'
import { byId, done, id, type MethodTable, name, notes, nothing, path, tags, time } from './common.ts'

export { datasetFormat, datasetKind, tokenLengthsSchema }
export type {
  ImageCheck,
  ImageSetFacts,
  ImageSplit,
  PreviewRow,
  SeenImages,
  Thumbnails,
  TokenLengths,
} from '../../engine/contract/index.ts'
export const datasetSchema = z.object({
  id,
  name: z.string(),
  path: z.string(),
  format: datasetFormat,
  kind: datasetKind,
  /** What was found in the file; `kind` may have been corrected by hand. */
  detectedKind: datasetKind,
  /** Zero-shot task whose layout the file has. */
  task: z.string().nullable(),
  fields: z.array(z.string()),
  /** Field that holds the text, where there is a choice. */
  field: z.string().nullable(),
  rows: z.int().nullable(),
  bytes: z.number(),
  status: z.enum(['present', 'missing', 'changed']),
  tags,
  notes: z.string(),
  added: time,
})
export type Dataset = z.infer<typeof datasetSchema>

export const datasetChangesSchema = z.strictObject({
  id,
  name: name.optional(),
  kind: datasetKind.optional(),
  field: z.string().max(200).nullable().optional(),
  tags: tags.optional(),
  notes: notes.optional(),
})
export const registerDatasetSchema = z.strictObject({ path })
export const previewSchema = z.strictObject({
  id,
  /** Checkpoint whose tokenizer and template are used. */
  checkpoint: id,
  trainOn: z.enum(['answers', 'everything']).default('answers'),
  offset: z.int().min(0).default(0),
  limit: z.int().min(1).max(50).default(10),
})
export const previewResultSchema = z.object({ rows: previewPageSchema.shape.rows, total: z.int().nullable() })

/** Some images of a data set: of a split and a class, where these are named. */
const someImages = {
  id,
  split: imageSplit.optional(),
  className: z.string().max(4096).optional(),
  offset: z.int().min(0).default(0),
}

/** Requests about data sets. */
export const datasetMethods = {
  'datasets.list': [nothing, z.array(datasetSchema)],
  'datasets.register': [registerDatasetSchema, datasetSchema],
  'datasets.update': [datasetChangesSchema, datasetSchema],
  'datasets.relocate': [z.strictObject({ id, path }), datasetSchema],
  'datasets.remove': [byId, done],
  'datasets.restore': [byId, datasetSchema],
  'datasets.preview': [previewSchema, previewResultSchema],
  'datasets.lengths': [
    z.strictObject({ id, checkpoint: id, sample: z.int().min(1).max(100_000).default(2000) }),
    tokenLengthsSchema,
  ],
  /** Splits and classes of a data set of images. */
  'datasets.images': [byId, imageSetSchema],
  /** Decodes all of its images; progress comes as a task. */
  'datasets.checkImages': [byId, imageCheckSchema],
  'datasets.thumbnails': [
    z.strictObject({ ...someImages, limit: z.int().min(1).max(60).default(24) }),
    thumbnailsSchema,
  ],
  /** Images beside what a checkpoint sees of them. */
  'datasets.seenImages': [
    z.strictObject({ ...someImages, checkpoint: id, limit: z.int().min(1).max(24).default(6) }),
    seenImagesSchema,
  ],
} as const satisfies MethodTable
