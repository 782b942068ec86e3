import { z } from 'zod'
import { failureSchema } from './names.ts'
import { taskKey } from './tasks.ts'

export const datasetKind = z.enum(['text', 'instruction', 'multiple-choice', 'images'])
export const datasetFormat = z.enum(['jsonl', 'json', 'parquet', 'text', 'images', 'csv'])
export type DatasetKind = z.infer<typeof datasetKind>

/** What a file, or a folder of images, holds. */
export const datasetSchema = z.object({
  format: datasetFormat,
  kind: datasetKind,
  /** The task whose layout the rows have, or the name of one of the user's own, which a task file describes. */
  task: taskKey.optional(),
  /** Fields of the first rows; none for text files and images. */
  fields: z.array(z.string()),
  /** The field that holds the text or the messages, where one does. */
  field: z.string().optional(),
  /** Rows (lines of a text file, images of a folder); null where counting would mean reading a whole big file. */
  rows: z.number().nullable(),
  bytes: z.number(),
  /** Image folders: the subfolders are the classes; images beside them have none. */
  classes: z.array(z.object({ name: z.string(), images: z.int() })).optional(),
})
export type Dataset = z.infer<typeof datasetSchema>

/** Longest preview of one row in tokens; the longest page of rows. */
export const previewTokens = 2048
export const previewRows = 50

/** One row as the model will see it. */
const previewRow = z.object({
  /** Of the row in the file, from 0. */
  index: z.int(),
  tokens: z.array(
    z.object({
      id: z.int(),
      /** The text that this token adds; empty for one that only completes a character with later ones. */
      text: z.string(),
      /** Whether loss is taken of it (multiple choice: whether it is scored). */
      target: z.boolean(),
    }),
  ),
  /** Of the whole row; more than `tokens` has where `truncated`. */
  tokenCount: z.int(),
  truncated: z.boolean(),
  /** Multiple choice: all answers; the tokens are those of the context with the right one. */
  choices: z.array(z.object({ text: z.string(), correct: z.boolean() })).optional(),
  /** Why this row cannot be used. */
  error: failureSchema.optional(),
})

export const previewSchema = z.object({
  rows: z.array(previewRow),
  /** Whether there are rows after these. */
  more: z.boolean(),
})
export type Preview = z.infer<typeof previewSchema>
export type PreviewRow = z.infer<typeof previewRow>

/** A histogram: bin i counts the examples of length i * binWidth up to, and without, (i + 1) * binWidth. */
export const tokenLengthsSchema = z.object({
  counts: z.array(z.int()),
  binWidth: z.int(),
  /** Rows that were read, and those of them that are examples: others have no text, or cannot be read. */
  rows: z.int(),
  examples: z.int(),
  tokens: z.number(),
  longest: z.int(),
  mean: z.number(),
  /** Whether the whole file was read, rather than as many rows as were asked for. */
  complete: z.boolean(),
})
export type TokenLengths = z.infer<typeof tokenLengthsSchema>
