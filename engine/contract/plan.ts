import { z } from 'zod'
import { budgetText } from './budget.ts'
import { layerSchema } from './checkpoint.ts'
import { pruningSnapshotSchema } from './metrics.ts'
import { path } from './names.ts'
import { pruneSchema } from './prune.ts'

const { floor, protectFirst, protectLast, channelMultiple } = pruneSchema.shape

/** Settings of a plan that go before those of the run. */
const planSettings = {
  speed: z
    .boolean()
    .default(false)
    .describe('measure how long a prompt and a generated token would take on this device (once; then it is known)'),
  uniform: z.boolean().default(false).describe('same counts in every layer, so that other programs load the result'),
  protectFirst: protectFirst.unwrap().optional().describe(`${protectFirst.description}; default: as in the run`),
  protectLast: protectLast.unwrap().optional().describe(`${protectLast.description}; default: as in the run`),
  floor: floor
    .unwrap()
    .optional()
    .describe('fraction that a layer keeps unless it leaves whole; default: as in the run'),
  channelMultiple: channelMultiple
    .unwrap()
    .optional()
    .describe('channels kept are a multiple of this; default: as in the run'),
}

/** Budgets that are laid beside each other. */
export const planSchema = z.strictObject({
  run: path,
  budgets: z.array(budgetText).min(1).max(20),
  ...planSettings,
})
export type PlanRequest = z.infer<typeof planSchema>

const times = z.object({ prompt: z.number(), generation: z.number() })

/** What a budget comes to, by the scores of a run. */
export const planSchemaOfBudget = z.object({
  budget: z.string(),
  parameters: z.int(),
  bytes: z.number(),
  /** How many times as fast: multiply-adds for one token, before through after. */
  speedUp: z.number(),
  /** Milliseconds of a prompt and of a generated token, by what layers take on this device; null where that was not asked for. */
  times: times.nullable(),
  /** Fraction of all importance that is kept. */
  kept: z.number(),
  /** How much the loss rises; null where it cannot be told. */
  loss: z.object({ rise: z.number(), error: z.number(), isBeyond: z.boolean() }).nullable(),
  /** What stays of every layer; null for one that leaves whole. */
  layers: z.array(layerSchema.nullable()),
  /** Every group's score, and whether it stays. */
  snapshot: pruningSnapshotSchema,
})
export type BudgetPlan = z.infer<typeof planSchemaOfBudget>

/** What the loss was at an importance lost: a point for each selection of the run. */
const qualityPoint = z.object({ step: z.int(), lost: z.number(), loss: z.number() })
export type QualityPoint = z.infer<typeof qualityPoint>

export const qualitySchema = z.object({
  /** Which loss the points are of. */
  of: z.enum(['validation', 'training']),
  points: z.array(qualityPoint),
  /** How the rise of the loss was fitted, in a sentence, or why it was not. */
  detail: z.string(),
  isFitted: z.boolean(),
})

const range = z.object({ least: z.number(), most: z.number() })

export const planResultSchema = z.object({
  type: z.literal('result'),
  checkpoint: z.string(),
  dense: z.object({ parameters: z.int(), bytes: z.number(), layers: z.array(layerSchema), times: times.nullable() }),
  /** The least and the most of each measure that a budget may say. */
  ranges: z.object({ parameters: range, memory: range, prompt: range.optional(), generation: range.optional() }),
  quality: qualitySchema,
  plans: z.array(planSchemaOfBudget),
})
export type PlanResult = z.infer<typeof planResultSchema>
