import { z } from 'zod'
import { datasetKind } from '../../engine/contract.ts'
import { id, name, notes, path, problemSchema, tags, time } from './common.ts'

export { datasetKind }
export const datasetFormat = z.enum(['jsonl', 'json', 'parquet', 'text', 'images'])
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
export const previewRowSchema = z.object({
  index: z.int(),
  /** `target`: loss is taken on it. */
  tokens: z.array(z.object({ id: z.int(), text: z.string(), target: z.boolean() })),
  /** Of the whole row; more than `tokens` has where `truncated`. */
  tokenCount: z.int(),
  truncated: z.boolean(),
  /** Multiple choice: all answers; the tokens are those of the context with the right one. */
  choices: z.array(z.object({ text: z.string(), correct: z.boolean() })).optional(),
  /** Why this row cannot be used. */
  error: problemSchema.optional(),
})
export const previewResultSchema = z.object({ rows: z.array(previewRowSchema), total: z.int().nullable() })
export type PreviewRow = z.infer<typeof previewRowSchema>

export const lengthsResultSchema = z.object({
  counts: z.array(z.int()),
  binWidth: z.int(),
  examples: z.int(),
  tokens: z.int(),
  longest: z.int(),
  mean: z.number(),
})
export type TokenLengths = z.infer<typeof lengthsResultSchema>

export const thumbnailSchema = z.object({
  name: z.string(),
  className: z.string(),
  width: z.int(),
  height: z.int(),
  dataUrl: z.string(),
  problem: z.string().optional(),
})
