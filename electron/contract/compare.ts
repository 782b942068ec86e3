import { z } from 'zod'
import { id, type MethodTable } from './common.ts'
import { historyFilterSchema } from './history.ts'
import { seriesSchema } from './run-records.ts'
import { runDetailSchema } from './runs.ts'

export const comparisonSchema = z.object({
  /** Runs that were asked for and are no longer there; the others are compared. */
  missing: z.array(id),
  runs: z.array(runDetailSchema),
  /** Every setting of any of the jobs, with the value in each run. */
  settings: z.array(z.object({ name: z.string(), values: z.array(z.unknown()), differs: z.boolean() })),
  /** Every setting and metric that is a number, as the history has it, with the runs that have one. */
  numbers: z.array(z.object({ name: z.string(), runIds: z.array(id) })),
  series: z.array(z.object({ runId: id, series: z.array(seriesSchema) })),
  /** Query heads, key/value heads and channels of each layer at the end. */
  layers: z.array(
    z.object({
      runId: id,
      layers: z.array(
        z.object({
          heads: z.int(),
          headsOf: z.int(),
          keyValueHeads: z.int(),
          keyValueHeadsOf: z.int(),
          channels: z.int(),
          channelsOf: z.int(),
        }),
      ),
    }),
  ),
  samples: z.array(z.object({ prompt: z.string(), texts: z.array(z.string().nullable()) })),
})
export type Comparison = z.infer<typeof comparisonSchema>

export const scatterQuerySchema = z.strictObject({
  filter: historyFilterSchema.optional(),
  ids: z.array(id).max(10_000).optional(),
  x: z.string().max(100),
  y: z.string().max(100),
})
export const scatterPointSchema = z.object({ id, name: z.string(), x: z.number(), y: z.number() })

/** Requests about runs side by side. */
export const compareMethods = {
  'compare.get': [
    z.strictObject({ ids: z.array(id).min(2).max(6), points: z.int().min(2).max(2000).default(600) }),
    comparisonSchema,
  ],
  'compare.scatter': [scatterQuerySchema, z.array(scatterPointSchema)],
} as const satisfies MethodTable
