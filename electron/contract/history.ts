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
/** What is asked of a column's values. Texts are compared regardless of case. */
export const conditionSchema = z.strictObject({
  column: z.string().max(100),
  op: z.enum(['<', '<=', '=', '!=', '>', '>=', 'contains']),
  value: z.union([z.number(), z.string().max(500)]),
})
export type Condition = z.infer<typeof conditionSchema>
export const historyFilterSchema = z.strictObject({
  /** Full-text search over names, notes, tags and settings. */
  search: searched(500),
  states: z.array(runState).default([]),
  kinds: z.array(z.string().max(40)).default([]),
  tags: z.array(z.string().max(60)).default([]),
  checkpoint: id.optional(),
  archived: z.enum(['no', 'only', 'all']).default('no'),
  /** All of which must hold. */
  where: z.array(conditionSchema).max(20).default([]),
})
export const historyQuerySchema = historyFilterSchema.extend({
  columns: z.array(z.string().max(100)).max(60).default([]),
  sort: z.strictObject({ column: z.string().max(100), descending: z.boolean() }).optional(),
  offset: z.int().min(0).default(0),
  limit: z.int().min(1).max(500).default(100),
})
/** The same with rows folded: runs of a sweep under it, or runs under the value of a column that they have in common. */
export const historyTableSchema = historyQuerySchema.extend({
  /** `sweep`, `none`, or the key of a column. */
  group: z.string().max(100).default('sweep'),
  /** Keys of the groups whose runs are shown. */
  open: z.array(z.string().max(1000)).max(1000).default([]),
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
const foldedSchema = z.object({
  /** By which the group is opened. */
  key: z.string(),
  /** The runs in it that the filter lets through. */
  members: z.array(id),
  open: z.boolean(),
})
export const tableRowSchema = z.discriminatedUnion('type', [
  historyRowSchema.extend({
    type: z.literal('run'),
    /** Of a sweep whose runs are folded under it. */
    folded: foldedSchema.nullable(),
    /** Whether it stands under a group, and the name of the sweep where that is one. */
    depth: z.int(),
    sweep: z.string().nullable(),
  }),
  z.object({
    type: z.literal('group'),
    folded: foldedSchema,
    /** What its runs have in common. */
    value: z.union([z.string(), z.number(), z.null()]),
    /** Means of metrics over its runs, in the order of the query's columns. */
    values: z.array(z.union([z.number(), z.null()])),
  }),
])
export type TableRow = z.infer<typeof tableRowSchema>
export const historyPageSchema = z.object({ total: z.int(), rows: z.array(historyRowSchema) })

/** Requests about all runs that there have been. */
export const historyMethods = {
  'history.columns': [nothing, z.array(columnSchema)],
  'history.query': [historyQuerySchema, historyPageSchema],
  /** `total` counts rows as they are folded, `runs` what the filter lets through. */
  'history.table': [historyTableSchema, z.object({ total: z.int(), runs: z.int(), rows: z.array(tableRowSchema) })],
  'history.tags': [nothing, z.array(z.string())],
  /** The whole filtered table as text. */
  'history.export': [
    historyFilterSchema.extend({ columns: z.array(z.string()).max(200), format: z.enum(['csv', 'json']) }),
    z.string(),
  ],
} as const satisfies MethodTable
