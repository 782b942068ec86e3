import { z } from 'zod'
import { id, type MethodTable, nothing, searched, tags } from './common.ts'
import { runState } from './runs.ts'

/** A column of the history: a fact of the run, `setting.<name>` of its job, or `metric.<name>` of its result. */
export const columnSchema = z.object({
  key: z.string(),
  label: z.string(),
  type: z.enum(['text', 'number', 'time', 'state', 'tags', 'bytes', 'seconds', 'fraction']),
})
export type Column = z.infer<typeof columnSchema>
export const historyFilterSchema = z.strictObject({
  /** Full-text search over names, notes, tags and settings. */
  search: searched(500),
  states: z.array(runState).default([]),
  kinds: z.array(z.string().max(40)).default([]),
  tags: z.array(z.string().max(60)).default([]),
  checkpoint: id.optional(),
  archived: z.enum(['no', 'only', 'all']).default('no'),
})
export const historyQuerySchema = historyFilterSchema.extend({
  columns: z.array(z.string().max(100)).max(60).default([]),
  sort: z.strictObject({ column: z.string().max(100), descending: z.boolean() }).optional(),
  offset: z.int().min(0).default(0),
  limit: z.int().min(1).max(500).default(100),
})
export type HistoryQuery = z.input<typeof historyQuerySchema>
export const historyRowSchema = z.object({
  id,
  name: z.string(),
  kind: z.string(),
  state: runState,
  archived: z.boolean(),
  tags,
  /** Metrics that another run measured, evaluating what this one made. */
  from: z.array(z.object({ column: z.string(), runId: id, name: z.string() })),
  /** In the order of the query's columns. */
  values: z.array(z.union([z.string(), z.number(), z.array(z.string()), z.null()])),
})
export type HistoryRow = z.infer<typeof historyRowSchema>
export const historyPageSchema = z.object({ total: z.int(), rows: z.array(historyRowSchema) })

/** Requests about all runs that there have been. */
export const historyMethods = {
  'history.columns': [nothing, z.array(columnSchema)],
  'history.query': [historyQuerySchema, historyPageSchema],
  'history.tags': [nothing, z.array(z.string())],
  /** The whole filtered table as text. */
  'history.export': [
    historyFilterSchema.extend({ columns: z.array(z.string()).max(200), format: z.enum(['csv', 'json']) }),
    z.string(),
  ],
} as const satisfies MethodTable
