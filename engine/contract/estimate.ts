import { z } from 'zod'
import { budgetSpentSchema } from './budget.ts'
import { layerSchema } from './checkpoint.ts'
import { compatibilitySchema } from './compatibility.ts'
import { criterionName } from './criteria/index.ts'
import { ggufLayout } from './export.ts'

/** Parameters of the checkpoint that is given, and of what is left of it. */
export const parametersSchema = z.object({ before: z.int(), after: z.int() })
/**
 * Numbers that a run trains: those of the adapter and of a classifier that is trained, and their share of all numbers of the
 * model that is trained, its adapter's among them. A classifier counts once, and not at all where another took its place.
 */
export const trainableSchema = z.object({ parameters: z.int(), fraction: z.number() })
export type Trainable = z.infer<typeof trainableSchema>
const plannedAndActual = z.object({ planned: z.number(), actual: z.number() })
/**
 * Fractions that leave: of the heads and channels of the layers that are pruned, and of all parameters. `planned` is what
 * the ratio stands for, `actual` what is left of it, since heads and channels leave whole.
 */
export const removalSchema = z.object({
  heads: plannedAndActual,
  channels: plannedAndActual,
  parameters: plannedAndActual,
  /** Of a job with a budget. */
  budget: budgetSpentSchema.optional(),
})
export type Removal = z.infer<typeof removalSchema>
/** Where the frozen weights lie while a graphics card computes. */
const placementSchema = z.object({
  /** The card, in words. */
  device: z.string(),
  /** Whether the card has no memory of its own, but takes the computer's. */
  sharesMemory: z.boolean(),
  weightBytes: z.number(),
  /** What weights may take of the card's memory; null where the card does not say how much it has. */
  budgetBytes: z.number().nullable(),
  /** What does not stay on the card and is sent to it anew in every pass through the model, and what each pass costs. */
  streamedBytes: z.number(),
  secondsPerPass: z.number(),
  /** All of it in a sentence. */
  detail: z.string(),
})
export type Placement = z.infer<typeof placementSchema>

export const estimateSchema = z.object({
  parameters: parametersSchema,
  /** Of a job that trains. */
  trainable: trainableSchema.optional(),
  /** Of a pruning job whose heads, channels or layers leave. */
  removal: removalSchema.optional(),
  /** Which programs will load what a pruning job leaves. */
  compatibility: z.array(compatibilitySchema).optional(),
  /** Bytes that the run writes, beyond what an earlier attempt at it has written already, and that its process holds at most. */
  diskBytes: z.number(),
  memoryBytes: z.number(),
  freeDiskBytes: z.number(),
  freeMemoryBytes: z.number(),
  /** Left out where no graphics card computes. */
  placement: placementSchema.optional(),
})
export type Estimate = z.infer<typeof estimateSchema>

/** An estimate with everything that a person weighs before a start. */
export const jobEstimateSchema = estimateSchema.extend({
  /** Layers of the checkpoint that the job will leave. */
  layersAfter: z.array(layerSchema),
  /** Of the whole job on this computer; null where it cannot be told. */
  seconds: z.number().nullable(),
  /** How that was got, in a sentence. */
  secondsFrom: z.string(),
  /** What scoring would cost beside the fine-tuning by each criterion, in all (of a sweep: in its first run); null where nothing is scored. */
  scoring: z.record(criterionName, z.object({ memoryBytes: z.number(), seconds: z.number() })).nullable(),
  /** Of a sweep: how many runs are to be done, and what is left by, and the time of, the smallest and the largest of them. */
  sweep: z
    .object({
      runs: z.int(),
      /** Runs that are done already, of a sweep that goes on: their time is not counted, what they left is. */
      finished: z.int().optional(),
      parameters: z.object({ least: z.int(), most: z.int() }),
      seconds: z.object({ least: z.number(), most: z.number() }),
    })
    .optional(),
  /** Of an export: what can be chosen, and the bytes of its tensors. */
  export: z
    .object({
      /** Ways to write layers, the smallest first; none where the format has one way. */
      layouts: z.array(z.object({ layout: ggufLayout, bytes: z.number() })),
      /** By type, where the layout is the one that the job asks for. */
      types: z.record(z.string(), z.number()),
    })
    .optional(),
  /** Whether memory and disk suffice: a job that does not fit is refused. */
  fits: z.boolean(),
  warnings: z.array(z.string()),
})
export type JobEstimate = z.infer<typeof jobEstimateSchema>
