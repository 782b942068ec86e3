import { z } from 'zod'
import { id, type MethodTable } from './common.ts'
import { columnSchema } from './history.ts'

const value = z.union([z.string(), z.number(), z.null()])

/** Runs with the settings in which they differ, and with what they came to. */
export const coordinatesSchema = z.object({
  /** `setting.<name>`: those of which the runs have two values or more. */
  settings: z.array(columnSchema),
  /** `metric.<name>`: numbers that two runs or more have. */
  metrics: z.array(columnSchema),
  /** In the order of settings, then of metrics. */
  runs: z.array(z.object({ id, name: z.string(), values: z.array(value) })),
})
export type Coordinates = z.infer<typeof coordinatesSchema>

/** Requests for parallel coordinates of any runs. Sweeps among them are left out: they have no metrics of their own. */
export const coordinateMethods = {
  'coordinates.get': [z.strictObject({ ids: z.array(id).min(2).max(2000) }), coordinatesSchema],
} as const satisfies MethodTable
